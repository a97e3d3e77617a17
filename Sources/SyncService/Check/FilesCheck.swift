import Diagnostics
import Glibc
import History
import Linux
import OpenSSL
import Runs

/// The files and folders of the service, as the service's user finds them.
struct FilesCheck {
    let settings: Settings

    func perform(_ findings: Findings) {
        checkSecretFiles(findings)
        checkTokens(findings)
        checkFolders(findings)
        checkCertificate(findings)
    }

    /// Root has read files that the service may not read. For example, a file that an editor has replaced belongs to root.
    private func checkSecretFiles(_ findings: Findings) {
        for file in settings.secretFiles where access(file, R_OK) != 0 && errno == EACCES {
            findings.add("the service's user \(Account.own) cannot read \(file)", Account.admission(to: file))
        }
    }

    private func checkTokens(_ findings: Findings) {
        do { _ = try settings.requireTokens() } catch { findings.add(error.problem, error.fix) }
    }

    private func checkFolders(_ findings: Findings) {
        do { try StateDirectory(settings).check() } catch { findings.add(error.problem, error.fix) }
        for folder in Set([settings.stateDirectory, settings.runDirectory]) {
            guard let free = try? Files.freeBytes(folder), free < DiskReserve.bytes(outputLimit: settings.script.outputLimit) * 2 else { continue }
            findings.add("\(folder) has only \(free >> 20) MiB free", "free some space: a run that cannot be recorded does not start")
        }
    }

    private func checkCertificate(_ findings: Findings) {
        do {
            guard let certificate = try settings.listener.loadTLS()?.certificate else { return }
            let days = (certificate.notAfter - Clock.wallMilliseconds() / 1000) / 86400
            if days < 30 { findings.add("TLS_CERT_FILE: the certificate expires in \(days) days", "renew it and send the service SIGHUP") }
        } catch {
            findings.add(error.problem, error.fix)
        }
    }
}
