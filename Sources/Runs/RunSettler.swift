import Glibc
import History
import JSON
import Linux
import Logging
import RunProtocol

/// Records how runs ended, and removes what they left in the run directory. Calls block.
struct RunSettler: Sendable {
    let script: ScriptSettings
    let directory: RunDirectory
    let history: HistoryStore
    let cancellation: RunCancellation
    let logger: Logger

    /// Records the end of a run without a waiting client: from its stored result, or as interrupted if there is none.
    /// To be called when the run lock is free. What is recorded already stays as it is.
    @discardableResult
    func settle(_ run: Int64) throws -> RunFinish {
        cancellation.recallPromise(run)
        let stored: RunResult?
        do { stored = try directory.readResult(of: run) } catch {
            logger.warning("the result of run \(run) is unreadable, so it counts as interrupted: \(error)")
            stored = nil
        }
        let finish = finish(of: run, stored, spool: nil)
        guard try history.recordFinish(finish, of: run) else { return finish }
        logger.info("run \(run) settled: \(finish.outcome.rawValue)")
        cleanUp(run)
        return finish
    }

    /// Records the end of a run whose supervisor has sent its result.
    /// - Parameter spool: the output as it was opened at the start; nil looks for it under its name.
    func record(_ result: RunResult, of run: Int64, spool: Descriptor?) throws -> RunFinish {
        let finish = finish(of: run, result, spool: spool)
        if try !history.recordFinish(finish, of: run), try history.reader.run(run)?["outcome"] != .string(finish.outcome.rawValue) {
            logger.critical("run \(run) ended \(finish.outcome.rawValue), but somebody has recorded an end before; compare with its entry")
        }
        report(run, finish)
        cleanUp(run)
        return finish
    }

    private func finish(of run: Int64, _ result: RunResult?, spool: Descriptor?) -> RunFinish {
        let output = output(of: run, spool, printed: result?.outputBytes)
        // From a file that the script could have written: quoted, or it could add lines of its own to the log.
        if let startError = result?.startError { logger.error("the script of run \(run) could not be executed: \(startError.debugDescription)") }
        if let spoolError = result?.spoolError { logger.error("the output of run \(run) could not all be kept: \(spoolError.debugDescription)") }
        return RunEnding(
            result: result, output: output, wasForced: cancellation.wasForced(run), wasPromised: cancellation.isPromised(run),
            timeoutSeconds: script.timeoutSeconds
        ).finish(now: Clock.wallMilliseconds())
    }

    private func output(of run: Int64, _ spool: Descriptor?, printed: Int64?) -> OutputSpool.Content? {
        do throws(SystemError) {
            let file: Descriptor
            if let spool { file = spool } else { file = try OutputSpool.open(directory.output(of: run)) }
            return try OutputSpool.read(file, maximum: script.largestOutput)
        } catch {
            // The spool of a script that printed nothing is not synced. After a power loss it may lack its head. Anything else
            // was written by the script.
            if !error.isNoSuchFile && !(printed == 0 && error.code == EBADMSG) {
                logger.warning("the output of run \(run) in \(directory.output(of: run)) is unreadable: \(error)")
            }
            return nil
        }
    }

    private func report(_ run: Int64, _ finish: RunFinish) {
        logger.info("run \(run) ended: \(finish.outcome.rawValue)\(finish.why.map { " (\($0))" } ?? "")")
        if finish.outcome == .failed && finish.exitCode == 2 {
            logger.warning(
                "run \(run) exited with 2, \"already running\", but no lock file was there: probably a tool of the script failed; let the script end with 1 then"
            )
        }
    }

    private func cleanUp(_ run: Int64) {
        do { try directory.removeSpool(of: run) } catch { logger.warning("the spool of run \(run) stays: \(error)") }
    }
}
