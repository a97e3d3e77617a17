import JSON
import RunProtocol
import SQLite
import Testing

@testable import History

/// The exact bytes of what is recorded and shown of a run. Every leaf ever hashed has these names in this order.
@Suite struct RunFactTests {
    private static let fullStart = """
        {"user":"rina","user_name":"Rina \\"R\\"","token_fingerprint":"0a1b","trigger":"api","reason":"line\\nbreak",\
        "source_ip":"192.0.2.7","request_id":"r-1","started_at":"2026-01-31T12:00:00.001Z","script_path":"/srv/sync.sh",\
        "script_sha256":"aa","script_uid":1001,"isolated":true,"boot_id":"b-1"}
        """
    private static let fullFinish = """
        {"finished_at":"2026-01-31T12:00:02.003Z","finished_at_exact":true,"duration_ms":2002,"outcome":"failed",\
        "why":"exited with code 7","exit_code":7,"signal":9,"output_bytes":5,"output_truncated":true,"output_sha256":"bb",\
        "script_changed":false,"lock_file_seen":true}
        """
    private static let fullRecord = """
        {"id":7,"user":"rina","user_name":"Rina \\"R\\"","token_fingerprint":"0a1b","trigger":"api","reason":"line\\nbreak",\
        "source_ip":"192.0.2.7","request_id":"r-1","started_at":"2026-01-31T12:00:00.001Z",\
        "finished_at":"2026-01-31T12:00:02.003Z","finished_at_exact":true,"duration_ms":2002,"outcome":"failed",\
        "exit_code":7,"signal":9,"output_bytes":5,"output_truncated":true,"output_sha256":"bb",\
        "script_path":"/srv/sync.sh","script_sha256":"aa","script_changed":false,"lock_file_seen":true,\
        "script_uid":1001,"isolated":true,"boot_id":"b-1"}
        """
    private static let bareStart = """
        {"user":"uid:0(root)","user_name":null,"token_fingerprint":null,"trigger":"cli","reason":null,"source_ip":null,\
        "request_id":"r-2","started_at":"1970-01-01T00:00:00.000Z","script_path":"/x","script_sha256":null,"script_uid":null,\
        "isolated":null,"boot_id":null}
        """
    private static let bareFinish = """
        {"finished_at":"1970-01-01T00:00:00.001Z","finished_at_exact":false,"duration_ms":null,"outcome":"interrupted",\
        "why":null,"exit_code":null,"signal":null,"output_bytes":null,"output_truncated":false,"output_sha256":null,\
        "script_changed":null,"lock_file_seen":null}
        """
    private static let runningRecord = """
        {"id":8,"user":"uid:0(root)","user_name":null,"token_fingerprint":null,"trigger":"cli","reason":null,"source_ip":null,\
        "request_id":"r-2","started_at":"1970-01-01T00:00:00.000Z","finished_at":null,"finished_at_exact":null,\
        "duration_ms":null,"outcome":"running","exit_code":null,"signal":null,"output_bytes":null,"output_truncated":null,\
        "output_sha256":null,"script_path":"/x","script_sha256":null,"script_changed":null,"lock_file_seen":null,\
        "script_uid":null,"isolated":null,"boot_id":null}
        """

    @Test func aLeafHasTheseMembers() {
        #expect(text(SampleRun.start.members) == Self.fullStart)
        #expect(text(SampleRun.finish.members) == Self.fullFinish)
        #expect(text(SampleRun.bareStart.members) == Self.bareStart)
        #expect(text(SampleRun.bareFinish.members) == Self.bareFinish)
    }

    @Test func theAPIShowsTheseMembers() throws {
        let connection = try HistorySchema.fresh()
        try RunTable.started.insert(SampleRun.start.members, run: 7, connection)
        try HistoryStore.insert(SampleRun.finish, 7, connection)
        try RunTable.started.insert(SampleRun.bareStart.members, run: 8, connection)
        let records = try connection.query("SELECT \(RunTable.runs.selection) FROM runs ORDER BY id") { RunRecord($0) }
        #expect(records.map { text($0.members) } == [Self.fullRecord, Self.runningRecord])
        #expect(records.map(\.id) == [7, 8])
    }

    /// A row gives back the members that went in.
    @Test func aRowHoldsTheMembersOfItsLeaf() throws {
        let connection = try HistorySchema.fresh()
        let runs: [(Int64, RunStart, RunFinish)] = [(1, SampleRun.start, SampleRun.finish), (2, SampleRun.bareStart, SampleRun.bareFinish)]
        for (run, start, finish) in runs {
            try RunTable.started.insert(start.members, run: run, connection)
            try HistoryStore.insert(finish, run, connection)
            for (table, members) in [(RunTable.started, start.members), (RunTable.finished, finish.members)] {
                let sql = "SELECT \(table.selection) FROM \(table.name) WHERE id = ?"
                let found = try connection.first(sql, [.integer(run)]) { table.members($0) }
                #expect(found.map(text) == text(members))
            }
        }
    }

    private func text(_ members: [JSONValue.Member]) -> String { String(decoding: JSONValue.object(members).encoded(), as: UTF8.self) }
}
