import Testing

@testable import SyncRunner

/// The rounds of KILL, with processes that are numbers.
@Suite struct ProcessKillerTests {
    /// - Returns: what was killed, and how often was looked.
    private func rounds(_ looks: [[Int32]], missedLooks: Int = 0) -> (killed: [Int32], looks: Int) {
        var (killed, count, missed) = ([Int32](), 0, 0)
        ProcessKiller.kill {
            defer { count += 1 }
            return count < looks.count ? looks[count] : []
        } mayMiss: {
            missed += 1
            return missed <= missedLooks
        } send: {
            killed.append($0)
        }
        return (killed.sorted(), count)
    }

    @Test func nothingFoundEndsAtOnce() {
        #expect(rounds([]) == ([], 1))
    }

    @Test func aProcessThatForksMeanwhileIsMet() {
        #expect(rounds([[2], [3], [4]]) == ([2, 3, 4], 4))
    }

    @Test func theSameProcessesTwiceAreLeftToTheKernel() {
        #expect(rounds([[2, 3], [3, 2], [4]]) == ([2, 3], 2))
    }

    @Test func aMissedProcessIsLookedForAgain() {
        #expect(rounds([[], [], [2]], missedLooks: 2) == ([2], 4))
    }

    @Test func aForkBombDoesNotKeepItForEver() {
        var next: Int32 = 1
        var looks = 0
        ProcessKiller.kill {
            looks += 1
            next += 1
            return [next]
        } send: { _ in
        }
        #expect(looks == 100)
    }
}
