import HTTPTypes
import Testing

@testable import HTTPServer

@Suite struct QueryTests {
    private func value(_ text: String, _ name: String = "a") throws -> String? {
        try Query(text).value(name, "anything") { $0 }
    }

    @Test func valuesAreDecoded() throws {
        #expect(try value("a=b") == "b")
        #expect(try value("x=1&a=b+c%2Bd%2bé") == "b c+d+é")
        #expect(try value("a=%e2%82%ac") == "€")
        #expect(try value("a") == "")
        #expect(try value("a=b=c") == "b=c")
        #expect(try value("&&a=b&") == "b")
        #expect(try value("") == nil)
        #expect(try value("%61=b") == "b")
    }

    @Test(arguments: ["a=1&a=2", "a=1&%61=2", "a=%", "a=%4", "a=%4g", "a=%+4", "a=%-1", "a=%ff", "a=%C3", "%zz=1"])
    func malformedOrRepeatedParametersAreErrors(text: String) {
        #expect(throws: RequestError.self) { try Query(text) }
    }

    @Test func unknownParametersAreErrorsThatNameTheKnownOnes() throws {
        let query = try Query("limit=1&b=2")
        #expect(throws: Never.self) { try query.allow(only: ["b", "limit", "c"]) }
        let error = try #require(throws: RequestError.self) { try query.allow(only: ["limit", "c"]) }
        #expect(error.status == .badRequest && error.message.hasSuffix("c, limit"))
    }

    @Test func aValueOfTheWrongFormIsAnErrorThatNamesTheForm() throws {
        let query = try Query("limit=x")
        #expect(try query.value("other", "a number") { Int($0) } == nil)
        let error = try #require(throws: RequestError.self) { try query.value("limit", "a number") { Int($0) } }
        #expect(error.message == "limit must be a number")
    }
}
