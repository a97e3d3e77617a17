import AuditLog
import Glibc
import HTTPServer
import JWT
import Linux
import Logging
import RunProtocol
import Runs

/// Every setting, in the order of config/env.example. To add one, declare it here, explain it there and read it with
/// ``SettingsSource/value(_:)``. Everything else that needs a setting's name or facts takes them from here.
struct SettingDeclarations: Sendable {
    // MARK: The script

    let scriptPath = Setting.path(
        "SYNC_SCRIPT_PATH", example: "/opt/bea-cukai-app/sync_fkk_db.sh",
        "The script that POST /sync/run executes: the absolute path of a regular file, executable, mode 750 or 755.")
    let lockPath = Setting.path("SYNC_LOCK_PATH", default: ScriptPaths.lock, "The script's own lock file and log, as written in the script.")
    let logPath = Setting.path("SYNC_LOG_PATH", default: ScriptPaths.log, "The script's own lock file and log, as written in the script.")
    let logDirectory = Setting.path(
        "SYNC_LOG_DIR", "If the log is a symbolic link, its target must be in the link's folder or below this folder.")
    let passedEnvironment = Setting.list(
        "SYNC_ENV_PASS", example: "SYNC_SOURCE_DB,SYNC_TARGET_DB,SYNC_LOCK_PATH,SYNC_LOG_PATH",
        "The script's environment has PATH, HOME, LANG, TZ, USER, SHELL, SYNC_RUN_ID, SYNC_STOP_GRACE_SECONDS, and the names in this "
            + "comma-separated list, with their values from this file or the environment.",
        check: { name throws(InvalidValue) in
            guard name.hasPrefix("JWT_") || name.contains("=") else { return }
            throw InvalidValue("lists \(name), which the script must never see", fix: "remove that name")
        })
    let workingDirectory = Setting.path("SYNC_WORKING_DIR", "The working directory of the script. Default: the folder that contains it.")
    let timeoutSeconds = Setting.integer(
        "SYNC_TIMEOUT_SECONDS", default: 21600, in: 1...RunRequest.maximumSeconds,
        "After the timeout the script gets TERM, and after the grace period KILL.")
    let graceSeconds = Setting.integer(
        "SYNC_STOP_GRACE_SECONDS", default: 10, in: 0...3600, "After the timeout the script gets TERM, and after the grace period KILL.")
    let outputLimit = Setting.integer(
        "SYNC_OUTPUT_LIMIT_BYTES", default: ScriptSettings.defaultOutputLimit, in: 2...RunRequest.maximumOutput,
        "The number of bytes of a run's output that are stored: a first and a last half.")

    // MARK: The service

    let host = Setting.text("HOST", default: "127.0.0.1", "The address and the port on which the service listens.")
    let port = Setting.integer("PORT", default: 8000, in: 1...65535, "The address and the port on which the service listens.")
    let certificateFile = Setting.path(
        "TLS_CERT_FILE", example: "/etc/sync-service/tls.pem", reloads: true, "With both set, the service uses HTTPS on that port.")
    let keyFile = Setting.path(
        "TLS_KEY_FILE", example: "/etc/sync-service/tls.key", reloads: true, namesSecretFile: true,
        "With both set, the service uses HTTPS on that port.")
    let hstsSeconds = Setting.integer(
        "TLS_HSTS_SECONDS", default: 0, in: 0...63_072_000, "Tells browsers to use only HTTPS for this many seconds.")
    let allowsPlaintext = Setting.flag("ALLOW_PLAINTEXT", "true lets plain HTTP leave this machine.")
    let allowedHosts = Setting.list(
        "ALLOWED_HOSTS", "Further names by which clients reach the service, besides localhost, HOST and those in the certificate.",
        check: { name throws(InvalidValue) in
            guard let fix = AllowedHosts.fix(for: name) else { return }
            throw InvalidValue("lists \"\(name)\", which no request can match", fix: fix)
        })
    let trustedProxies = Setting.list(
        "TRUSTED_PROXIES", "Addresses of proxies.",
        check: { address throws(InvalidValue) in
            guard IPAddress(address) == nil else { return }
            throw InvalidValue("lists \"\(address)\", which is not an IP address", fix: "list single addresses, such as 127.0.0.1")
        })
    let corsOrigins = Setting.list(
        "CORS_ALLOW_ORIGINS", example: "https://app.example",
        "Origins whose web pages may call the documented endpoints, exactly as a browser sends them.",
        check: { origin throws(InvalidValue) in
            guard !ListenerSettings.isOrigin(origin) else { return }
            throw InvalidValue(
                "lists \"\(origin)\", which is not an origin",
                fix: "list origins as a browser sends them, such as https://app.example:8443; * and null are never allowed")
        })
    let respondAfterSeconds = Setting.integer(
        "SYNC_RESPOND_AFTER_SECONDS", default: 0, in: 0...RunRequest.maximumSeconds,
        "Answer POST /sync/run with 202 after this many seconds; the client then asks for the status.")
    let stateDirectory = Setting.path("SYNC_STATE_DIR", example: "/var/lib/sync-service", "The folder of the history.")
    let runDirectory = Setting.path(
        "SYNC_RUN_DIR", example: "/var/lib/sync-service/run",
        "The run in progress and its output. Not on NFS. Default: the folder `run` in SYNC_STATE_DIR.")
    let runnerSocket = Setting.path(
        "SYNC_RUNNER_SOCKET", example: "/run/sync-runner/runner.sock",
        "The socket of a runner that runs as another user (sync-runner listen, started by systemd).")
    /// Only the runner reads it.
    let runnerClient = Setting.text(
        "SYNC_RUNNER_CLIENT", default: "sync-service", "Only for that runner: the user of the service that it serves.")

    // MARK: The audit log

    let auditOrigin = Setting.text(
        "AUDIT_ORIGIN", example: "sync.example/sync-history",
        "The name under which the history is signed. Do not change it later. Default: the host name and /sync-history.")
    let auditKeyFile = Setting.path(
        "AUDIT_KEY_FILE", example: "/var/lib/sync-service/audit.key", namesSecretFile: true,
        "The signing key, which the first start creates. Default: audit.key in SYNC_STATE_DIR.")
    let pinnedKey = Setting<VerifierKey?>(
        "AUDIT_VKEY", default: nil, "The key that must have signed the history, as `sync-service audit vkey` prints it.",
        parse: { text throws(InvalidValue) in
            do { return try VerifierKey(parsing: text) } catch {
                throw InvalidValue("is \(error)", fix: "set what sync-service audit vkey printed")
            }
        })
    let checkpointFile = Setting.path(
        "AUDIT_CHECKPOINT_FILE", "The service appends every checkpoint to this file, which is best on another disk or machine.")
    let logLevel = Setting<Logger.Level>.choice("LOG_LEVEL", default: .info, "trace, debug, info, notice, warning, error or critical")

    // MARK: Tokens

    let secretFile = Setting.text(
        "JWT_SECRET_FILE", example: "/etc/sync-service/jwt.secret", reloads: true, namesSecretFile: true,
        "Required: the secret shared with the program that issues the tokens, in a file that others cannot read (mode 0600).")
    let secret = Setting.text(
        "JWT_SECRET", reloads: true,
        "The secret itself, instead of the file. The file is safer, because an environment is easily shown by accident.")
    let previousSecretFile = Setting.text(
        "JWT_PREVIOUS_SECRET_FILE", reloads: true, namesSecretFile: true,
        "A previous secret, which is also accepted while tokens signed with it are still valid.")
    let algorithm = Setting<Algorithm>.choice("JWT_ALGORITHM", default: .HS256, "Exactly one of HS256, HS384 and HS512.")
    let issuer = Setting.text("JWT_ISSUER", "If set, a token's `iss` or `aud` must be present and match exactly.")
    let audience = Setting.text("JWT_AUDIENCE", "If set, a token's `iss` or `aud` must be present and match exactly.")
    let leewaySeconds = Setting.integer(
        "JWT_LEEWAY_SECONDS", default: 30, in: 0...600,
        "How far the issuer's clock may differ, and how long a token may live at most (exp - iat, or exp - now without iat).")
    let maxLifetimeSeconds = Setting.integer(
        "JWT_MAX_LIFETIME_SECONDS", default: 90000, in: 1...31_536_000,
        "How far the issuer's clock may differ, and how long a token may live at most (exp - iat, or exp - now without iat).")
    let notBefore = Setting<Int64?>(
        "JWT_NOT_BEFORE", default: nil, reloads: true,
        "Revokes every token issued before this time: seconds since 1970, or a time such as 2026-01-31T12:00:00Z.",
        parse: { text throws(InvalidValue) in try Rules.secondsSince1970(text) })
    let userClaim = Setting.text("JWT_USER_CLAIM", default: "sub", "The claims with the user's identifier, name and role.")
    let nameClaim = Setting.text("JWT_NAME_CLAIM", default: "name", "The claims with the user's identifier, name and role.")
    let roleClaim = Setting.text("JWT_ROLE_CLAIM", default: "role", "The claims with the user's identifier, name and role.")

    // MARK: Permissions

    let adminRole = Setting.text(
        "JWT_ADMIN_ROLE", default: "admin", "Administrators have this role or are in this comma-separated list of users.")
    let adminUsers = Setting.list(
        "ADMIN_USERS", reloads: true, "Administrators have this role or are in this comma-separated list of users.")
    let runUsers = Setting.list("RUN_USERS", reloads: true, "Who may start a run: these users (comma-separated), or this role.")
    let runRole = Setting.text("JWT_RUN_ROLE", "Who may start a run: these users (comma-separated), or this role.")
    let deniedUsers = Setting.list("DENY_USERS", reloads: true, "The tokens of these users (comma-separated) are refused.")

    static let shared = SettingDeclarations()

    /// The facts of every setting declared above.
    static let all: [SettingFacts] = Mirror(reflecting: shared).children.compactMap { ($0.value as? any Declared)?.facts }
    static let names = Set(all.map(\.name))
}

/// Brings settings of all types into one list.
private protocol Declared {
    var facts: SettingFacts { get }
}

extension Setting: Declared {}
