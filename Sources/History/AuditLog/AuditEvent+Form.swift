import AuditLog
import JSON
import RunProtocol

extension AuditEvent {
    /// The form of each kind of entry, in the order of the format page. The bytes of existing kinds are signed and must never
    /// change: a member may only be added as one that may be missing. `make audit-format` brings the page up to date.
    package var form: EntryForm {
        switch self {
        case .genesis(let key):
            EntryForm(
                .genesis, when: "the log begins",
                [.text("origin", key.name, "the log's name"), .text("vkey", key.description, "its first verifier key")])
        case .serviceStarted(let version, let bootID, let clock):
            EntryForm(
                .serviceStarted, when: "the service starts",
                [.text("version", version, "the program's version"), .textOrNull("boot_id", bootID, "the kernel's ID of this boot")] + clock.members)
        case .serviceStopped: EntryForm(.serviceStopped, when: "the service stops")
        case .runStarted(let run, let start, let clock):
            EntryForm(
                .runStarted, when: "a run starts, before its script is executed",
                [.integer("run", run, "the new run's number")] + EntryMember.facts(start.members) + clock.members)
        case .runFinished(let run, let finish, let storedOutput):
            EntryForm(
                .runFinished, when: "a run has ended",
                [.integer("run", run, "the run's number")] + EntryMember.facts(finish.members)
                    + [.text("stored_output_sha256", storedOutput, "the SHA-256 of the part of the output that was stored")])
        case .runRefused(let refusal):
            EntryForm(.runRefused, when: "a run was requested and not started", [.word("outcome", refusal, "what prevented it")])
        case .runImported(let run, let facts, let storedOutput):
            EntryForm(
                .runImported, when: "a run from the time before the audit log is taken in",
                [.integer("run", run, "the run's number"), .flag("witnessed", false, "always false: nobody proves these facts")]
                    + EntryMember.facts(facts)
                    + [.textIfAny("stored_output_sha256", storedOutput, "the SHA-256 of the stored output")])
        case .runCancelRequested(let run):
            EntryForm(
                .runCancelRequested, when: "an administrator wants a run to end, before anything is done",
                [.integer("run", run, "the run's number")])
        case .runCancelAnswered(let run, let answer):
            EntryForm(
                .runCancelAnswered, when: "the request to end a run has been answered",
                [.integer("run", run, "the run's number"), .word("outcome", answer, "what came of it")])
        case .lockClearRequested(let reason):
            EntryForm(
                .lockClearRequested, when: "an administrator wants a stale lock file removed, before anything is done",
                [.text("reason", reason, "the administrator's words")])
        case .lockCleared(let reason):
            EntryForm(.lockCleared, when: "the lock file was removed", [.text("reason", reason, "the administrator's words")])
        case .lockClearFailed(let reason, let failure, let why):
            EntryForm(
                .lockClearFailed, when: "the lock file was left, or it is unknown whether it was removed",
                [
                    .word("outcome", failure, "left, or unknown"), .text("reason", reason, "the administrator's words"),
                    .textIfAny("why", why, "why it was left"),
                ])
        case .externalRunSeen(let change, let file):
            EntryForm(
                .externalRunSeen, when: "the script's lock file comes or goes without a run of the service",
                [
                    .word("outcome", change, "whether it came or went"), .time("lock_file_modified", file.modified, "when the file was last changed"),
                    .integer("lock_file_owner", file.owner, "the user ID of its owner"),
                ])
        case .authFailed(let reason):
            EntryForm(.authFailed, when: "a token is refused (401)", [.text("reason", reason, "one of the words below")])
        case .accessDenied(let path):
            EntryForm(
                .accessDenied, when: "a valid token does not allow what it asks for (403)", [.text("path", path, "the route")])
        case .tokenIssued(let user, let role, let seconds, let fingerprint):
            EntryForm(
                .tokenIssued, when: "`sync-service token` issues a token",
                [
                    .text("for_user", user, "the user in the token"), .textOrNull("role", role, "the role in the token"),
                    .integer("ttl_seconds", seconds, "how long it is valid"), .text("issued_fingerprint", fingerprint, "its fingerprint"),
                ])
        case .historyRead(let part, let run):
            EntryForm(
                .historyRead, when: "the history is read over HTTP",
                [.word("what", part, "what was read"), .integerIfAny("of_run", run, "the run that was read")])
        case .historyExported(let target):
            EntryForm(.historyExported, when: "`audit export` or `backup` copies the history", [.word("target", target, "the kind of copy")])
        case .outputRedacted(let run, let reason):
            EntryForm(
                .outputRedacted, when: "`history redact` deletes an output",
                [.integer("run", run, "the run's number"), .text("reason", reason, "the administrator's words")])
        case .settingsChanged(let outcome, let changed, let needRestart):
            EntryForm(
                .settingsChanged, when: "the service reads its settings again (SIGHUP)",
                [
                    .word("outcome", outcome, "whether the new settings are in force"),
                    .textsIfAny("changed", changed, "names of the settings that are in force from now on"),
                    .textsIfAny("need_restart", needRestart, "names of those that were changed and are not; never values"),
                ])
        case .keyChanged(let change):
            EntryForm(
                .keyChanged, when: "`audit rotate-key` replaces the key",
                [.text("vkey", change.newKey.description, "the new key"), .text("signature", change.signature, "the old key's, see above")])
        case .clockStepped(let step):
            EntryForm(.clockStepped, when: "the clock was set", [.integer("step_ms", step, "by how many milliseconds")])
        case .recovered(let recovery):
            EntryForm(
                .recovered, when: "`audit resume`: an administrator accepts the history as it is",
                [
                    .text("reason", recovery.reason, "the administrator's words"),
                    .integer("problem_count", Int64(recovery.problems.count), "how many problems were found"),
                    .texts("problems", Array(recovery.problems.prefix(3)), "the first three of them"),
                    .texts("accepted", recovery.accepted, "the digests of all accepted damage"),
                    .objectIfAny("given_up", recovery.givenUp?.members, "the checkpoint that is given up, see above"),
                ])
        case .summary(let kind, let tally): EntryForm(kind, when: "many such events are counted", tally.members)
        }
    }
}
