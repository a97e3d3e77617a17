import Testing

@testable import HTTPServer

@Suite struct RequestMemoryTests {
    @Test func eachConnectionHasAPartOfItsOwn() {
        let memory = RequestMemory(maximum: 1000)
        #expect(memory.change(from: 0, to: 5096))
        #expect(!memory.change(from: 0, to: 4097), "all is taken")
        #expect(memory.change(from: 0, to: 4096), "its own part")
    }

    @Test func whatIsReleasedCanBeTakenAgain() {
        let memory = RequestMemory(maximum: 1000)
        #expect(memory.change(from: 0, to: 4596))
        #expect(memory.change(from: 0, to: 4596))
        #expect(!memory.change(from: 4596, to: 4597))
        #expect(memory.change(from: 4596, to: 10))
        #expect(memory.change(from: 4596, to: 5096))
        #expect(memory.change(from: 5096, to: 0))
        #expect(memory.change(from: 10, to: 5096))
    }

    @Test func aRefusedChangeChangesNothing() {
        let memory = RequestMemory(maximum: 1000)
        #expect(!memory.change(from: 0, to: 9000))
        #expect(memory.change(from: 0, to: 5096))
    }
}
