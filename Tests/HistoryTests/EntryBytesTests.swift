import AuditLog
import Testing

@testable import History

/// Entries are signed and kept for years, so the bytes of existing kinds never change.
@Suite struct EntryBytesTests {
    @Test func entriesKeepTheirBytes() throws {
        let entries = try SampleEntries.all()
        #expect(entries.count == Self.expected.count)
        for (entry, expected) in zip(entries, Self.expected) {
            let leaf = try Leaf(entry.event.kind, at: LeafTime(microseconds: 0), entry.members)
            #expect(String(decoding: leaf.bytes, as: UTF8.self) == expected)
        }
    }

    @Test func everyKindHasASample() throws {
        #expect(try Set(SampleEntries.all().map(\.event.kind)) == Set(Event.allCases))
    }

    /// The lines of ``SampleEntries``, written by hand.
    private static let expected = #"""
        {"at":"1970-01-01T00:00:00.000000Z","event":"genesis","origin":"db1.example/sync-history","vkey":"db1.example/sync-history+95abb4e8+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea"}
        {"at":"1970-01-01T00:00:00.000000Z","boot_id":"boot","clock_error_us":250,"clock_synchronised":true,"event":"service_started","version":"1.2"}
        {"at":"1970-01-01T00:00:00.000000Z","boot_id":null,"clock_synchronised":null,"event":"service_started","version":"1.2"}
        {"at":"1970-01-01T00:00:00.000000Z","event":"service_stopped"}
        {"at":"1970-01-01T00:00:00.000000Z","boot_id":"boot","clock_error_us":250,"clock_synchronised":true,"event":"run_started","isolated":true,"reason":null,"request_id":"req-1","run":7,"script_path":"/opt/sync.sh","script_sha256":"0f0f","script_uid":990,"source_ip":"192.0.2.7","started_at":"2026-03-02T06:00:00.125Z","token_fingerprint":null,"trigger":"api","user":"ana","user_name":null}
        {"at":"1970-01-01T00:00:00.000000Z","duration_ms":41605,"event":"run_finished","exit_code":0,"finished_at":"2026-03-02T06:00:41.730Z","finished_at_exact":true,"lock_file_seen":true,"outcome":"succeeded","output_bytes":14,"output_sha256":"1e1e","output_truncated":false,"run":7,"script_changed":false,"signal":null,"stored_output_sha256":"000c96f274df5ceb52faebf99d0bca0b42b12dc147a0856f553f1271f02c5d44","why":null}
        {"at":"1970-01-01T00:00:00.000000Z","event":"run_refused","outcome":"script_not_set","request_id":"req-1","source_ip":"192.0.2.7","token_fingerprint":"0123456789abcdef","user":"ana"}
        {"at":"1970-01-01T00:00:00.000000Z","event":"run_refused","outcome":"busy","request_id":null,"source_ip":null,"token_fingerprint":null,"user":"uid:0(root)"}
        {"at":"1970-01-01T00:00:00.000000Z","boot_id":"boot","duration_ms":41605,"event":"run_imported","exit_code":0,"finished_at":"2026-03-02T06:00:41.730Z","finished_at_exact":true,"isolated":true,"lock_file_seen":true,"outcome":"succeeded","output_bytes":14,"output_sha256":"1e1e","output_truncated":false,"reason":null,"request_id":"req-1","run":7,"script_changed":false,"script_path":"/opt/sync.sh","script_sha256":"0f0f","script_uid":990,"signal":null,"source_ip":"192.0.2.7","started_at":"2026-03-02T06:00:00.125Z","stored_output_sha256":"000c","token_fingerprint":null,"trigger":"api","user":"ana","user_name":null,"why":null,"witnessed":false}
        {"at":"1970-01-01T00:00:00.000000Z","event":"run_imported","run":7,"witnessed":false}
        {"at":"1970-01-01T00:00:00.000000Z","event":"run_cancel_requested","request_id":"req-1","run":7,"source_ip":"192.0.2.7","token_fingerprint":"0123456789abcdef","user":"ana"}
        {"at":"1970-01-01T00:00:00.000000Z","event":"run_cancel_answered","outcome":"too_late","request_id":"req-1","run":7,"source_ip":"192.0.2.7","token_fingerprint":"0123456789abcdef","user":"ana"}
        {"at":"1970-01-01T00:00:00.000000Z","event":"lock_clear_requested","reason":"stale","request_id":"req-1","source_ip":"192.0.2.7","token_fingerprint":"0123456789abcdef","user":"ana"}
        {"at":"1970-01-01T00:00:00.000000Z","event":"lock_cleared","reason":"stale","request_id":"req-1","source_ip":"192.0.2.7","token_fingerprint":"0123456789abcdef","user":"ana"}
        {"at":"1970-01-01T00:00:00.000000Z","event":"lock_clear_failed","outcome":"unknown","reason":"stale","request_id":"req-1","source_ip":"192.0.2.7","token_fingerprint":"0123456789abcdef","user":"ana"}
        {"at":"1970-01-01T00:00:00.000000Z","event":"lock_clear_failed","outcome":"refused","reason":"stale","request_id":"req-1","source_ip":"192.0.2.7","token_fingerprint":"0123456789abcdef","user":"ana","why":"the script runs"}
        {"at":"1970-01-01T00:00:00.000000Z","event":"external_run_seen","lock_file_modified":"2026-03-02T06:00:00.125Z","lock_file_owner":990,"outcome":"seen"}
        {"at":"1970-01-01T00:00:00.000000Z","event":"auth_failed","reason":"expired","request_id":"req-1","source_ip":"192.0.2.7","token_fingerprint":"0123456789abcdef","user":null}
        {"at":"1970-01-01T00:00:00.000000Z","event":"access_denied","path":"/admin/runs/{id}","request_id":"req-1","source_ip":"192.0.2.7","token_fingerprint":"0123456789abcdef","user":"ana"}
        {"at":"1970-01-01T00:00:00.000000Z","event":"token_issued","for_user":"ana","issued_fingerprint":"0123456789abcdef","request_id":null,"role":null,"source_ip":null,"token_fingerprint":null,"ttl_seconds":3600,"user":"uid:0(root)"}
        {"at":"1970-01-01T00:00:00.000000Z","event":"history_read","request_id":"req-1","source_ip":"192.0.2.7","token_fingerprint":"0123456789abcdef","user":"ana","what":"runs"}
        {"at":"1970-01-01T00:00:00.000000Z","event":"history_read","of_run":17,"request_id":"req-1","source_ip":"192.0.2.7","token_fingerprint":"0123456789abcdef","user":"ana","what":"output"}
        {"at":"1970-01-01T00:00:00.000000Z","event":"history_exported","request_id":null,"source_ip":null,"target":"tiles","token_fingerprint":null,"user":"uid:0(root)"}
        {"at":"1970-01-01T00:00:00.000000Z","event":"output_redacted","reason":"names","request_id":null,"run":7,"source_ip":null,"token_fingerprint":null,"user":"uid:0(root)"}
        {"at":"1970-01-01T00:00:00.000000Z","changed":["JWT_SECRET"],"event":"settings_changed","need_restart":["PORT"],"outcome":"reloaded"}
        {"at":"1970-01-01T00:00:00.000000Z","event":"settings_changed","outcome":"refused"}
        {"at":"1970-01-01T00:00:00.000000Z","event":"key_changed","request_id":null,"signature":"sig","source_ip":null,"token_fingerprint":null,"user":"uid:0(root)","vkey":"db1.example/sync-history+95abb4e8+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea"}
        {"at":"1970-01-01T00:00:00.000000Z","event":"clock_stepped","step_ms":-5000}
        {"accepted":["d1","d2"],"at":"1970-01-01T00:00:00.000000Z","event":"recovered","given_up":{"file_size":400,"offset":100,"root":"cm9vdA==","size":12},"problem_count":4,"problems":["p1","p2","p3"],"reason":"restored","request_id":null,"source_ip":null,"token_fingerprint":null,"user":"uid:0(root)"}
        {"accepted":["d1","d2"],"at":"1970-01-01T00:00:00.000000Z","event":"recovered","problem_count":4,"problems":["p1","p2","p3"],"reason":"restored","request_id":null,"source_ip":null,"token_fingerprint":null,"user":"uid:0(root)"}
        {"at":"1970-01-01T00:00:00.000000Z","count":2,"event":"history_read","first":"2026-03-02T06:00:00.125Z","last":"2026-03-02T06:00:00.225Z","of_run":[3,17],"request_id":null,"source_ip":null,"token_fingerprint":null,"user":"ana","what":["output","run"]}
        {"at":"1970-01-01T00:00:00.000000Z","count":2,"event":"run_refused","first":"2026-03-02T06:00:00.125Z","last":"2026-03-02T06:00:00.225Z","more":1,"outcome":["busy"],"request_id":null,"source_ip":"2001:db8::/64","token_fingerprint":null,"user":null}
        """#.split(separator: "\n").map(String.init)
}
