import HTTPTypes
import JSON
import Testing

@testable import HTTPServer

@Suite struct ReadSlotsTests {
    @Test func oneUserDoesNotTakeAllSlots() async throws {
        let slots = ReadSlots(3, perUser: 2)
        var own = [try slots.take(for: "rina"), try slots.take(for: "rina")]
        #expect(throws: RequestError.self) { try slots.take(for: "rina") }
        await #expect(throws: RequestError.self) { try await slots.take(for: "rina", within: .milliseconds(1)) }
        let other = try slots.take(for: "agus")
        async let waiting = slots.take(for: "agus", within: .seconds(60))
        own.removeLast()
        _ = try await waiting
        withExtendedLifetime((own, other)) {}
    }

    @Test func aSlotIsFreeAgainWhenNothingRefersToIt() throws {
        let slots = ReadSlots(2)
        let first = try slots.take()
        var second: ReadSlots.Slot? = try slots.take()
        #expect(throws: RequestError.self) { try slots.take() }
        // As after a HEAD request, whose body is dropped without being sent.
        var answer: Any? = second.map { ResponseBuilder.json(.ok, .string(String(repeating: "x", count: 70_000)), keeping: $0) }
        second = nil
        #expect(throws: RequestError.self) { try slots.take() }
        _ = answer
        answer = nil
        #expect(throws: Never.self) { try slots.take() }
        withExtendedLifetime(first) {}
    }

    @Test func thoseWhoWaitGetTheirSlotsInOrder() async throws {
        let slots = ReadSlots(1)
        var held: ReadSlots.Slot? = try slots.take(for: "a")
        let order = Order()
        var waiting: [Task<Void, any Error>] = []
        for user in ["b", "c", "d"] {
            waiting.append(
                Task {
                    let slot = try await slots.take(for: user, within: .seconds(60))
                    await order.append(user)
                    withExtendedLifetime(slot) {}
                })
            // The next one comes when this one waits.
            while slots.waiting < waiting.count { await Task.yield() }
        }
        withExtendedLifetime(held) {}
        held = nil
        for task in waiting { try await task.value }
        #expect(await order.users == ["b", "c", "d"])
    }

    /// A user who has all of theirs does not block those behind.
    @Test func aSlotGoesToTheFirstWhoMayHaveIt() async throws {
        let slots = ReadSlots(2, perUser: 1)
        let first = try slots.take(for: "a")
        var second: ReadSlots.Slot? = try slots.take(for: "b")
        let blocked = Task { try await slots.take(for: "a", within: .seconds(60)) }
        while slots.waiting < 1 { await Task.yield() }
        let other = Task { try await slots.take(for: "c", within: .seconds(60)) }
        while slots.waiting < 2 { await Task.yield() }
        withExtendedLifetime(second) {}
        second = nil
        let third = try await other.value
        #expect(slots.waiting == 1)
        withExtendedLifetime((first, third)) {}
        _ = blocked
    }

    @Test func whoGivesUpWaitsNoMoreAndTakesNoSlot() async throws {
        let slots = ReadSlots(1)
        var held: ReadSlots.Slot? = try slots.take()
        await #expect(throws: RequestError.self) { try await slots.take(for: "b", within: .milliseconds(1)) }
        #expect(slots.waiting == 0)
        withExtendedLifetime(held) {}
        held = nil
        #expect(throws: Never.self) { try slots.take() }
    }
}

private actor Order {
    private(set) var users: [String] = []

    func append(_ user: String) { users.append(user) }
}
