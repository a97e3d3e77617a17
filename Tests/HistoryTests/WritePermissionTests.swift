import Testing

@testable import History

@Suite struct WritePermissionTests {
    private func message(_ permission: WritePermission) -> String? {
        do { try permission.require("/history") } catch { return error.description }
        return nil
    }

    @Test func aRefusalEndsWhenItIsLifted() {
        let permission = WritePermission(refused: .init(problem: "not the pinned key"))
        #expect(message(permission) == "/history: not the pinned key")
        #expect(permission.lift()?.problem == "not the pinned key")
        #expect(message(permission) == nil)
        #expect(permission.lift() == nil)
        permission.refuse("rolled back", isRolledBack: true)
        #expect(permission.refusal?.isRolledBack == true)
        #expect(message(permission) == "/history: rolled back")
    }

    @Test func aLatchStays() {
        let permission = WritePermission(refused: nil)
        #expect(message(permission) == nil && !permission.isLatched)
        permission.latch()
        permission.refuse("damaged")
        _ = permission.lift()
        #expect(permission.isLatched)
        #expect(message(permission)?.contains("restart the service") == true)
    }
}
