// swift-tools-version:6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "sync-service",
    products: [
        .executable(name: "sync-service", targets: ["SyncServiceMain"]),
        .executable(name: "sync-runner", targets: ["SyncRunner"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", exact: "1.35.2"),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
    ],
    targets: [
        // The C side: Debian's libraries and the calls Swift cannot import.
        .systemLibrary(name: "CSQLite"),
        .systemLibrary(name: "COpenSSL"),
        .target(name: "CLinux"),

        // One owner for each C library; everything above speaks Swift.
        .target(name: "SQLite", dependencies: ["CSQLite"], swiftSettings: strict),
        .target(name: "OpenSSL", dependencies: ["COpenSSL", "Linux"], swiftSettings: strict),
        .target(name: "Linux", dependencies: ["CLinux"], swiftSettings: strict),

        // Formats, pure.
        .target(name: "Encoding", swiftSettings: strict),
        .target(name: "JSON", swiftSettings: strict),
        .target(name: "JWT", dependencies: ["Encoding", "JSON", "OpenSSL"], swiftSettings: strict),
        .target(name: "AuditLog", dependencies: ["Encoding", "JSON", "OpenSSL"], swiftSettings: strict),
        .target(name: "RunProtocol", dependencies: ["Linux"], swiftSettings: strict),

        // What every part of the service uses: messages for the operator, threads for calls that block.
        .target(name: "Diagnostics", dependencies: ["Linux"], swiftSettings: strict),
        .target(name: "Threads", dependencies: [.product(name: "NIOPosix", package: "swift-nio")], swiftSettings: strict),

        // The transport. It knows nothing of runs.
        .target(name: "HTTPFraming", swiftSettings: strict),
        .target(
            name: "TLS", dependencies: ["OpenSSL", .product(name: "NIOCore", package: "swift-nio")], swiftSettings: strict),
        .target(
            name: "HTTPServer",
            dependencies: [
                "Diagnostics", "Encoding", "HTTPFraming", "JSON", "JWT", "Linux", "OpenSSL", "TLS",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOExtras", package: "swift-nio-extras"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),

        // The record: runs and audit log, which share each transaction. The only SQL outside Migrations.
        .target(name: "Migrations", dependencies: ["OpenSSL", "SQLite"], swiftSettings: strict),
        .target(
            name: "History",
            dependencies: [
                "AuditLog", "Diagnostics", "Encoding", "JSON", "Linux", "Migrations", "OpenSSL", "RunProtocol", "SQLite", "Threads",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),

        // The run: its supervisor is a program of its own, and Runs is that program's client.
        .executableTarget(
            name: "SyncRunner",
            dependencies: ["COpenSSL", "Linux", "RunProtocol"],
            swiftSettings: strict
        ),
        .target(
            name: "Runs",
            dependencies: [
                "AuditLog", "Diagnostics", "Encoding", "History", "JSON", "Linux", "RunProtocol", "Threads",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),

        // The product: settings, commands, endpoints, the table of routes.
        .target(
            name: "SyncService",
            dependencies: [
                "AuditLog", "Diagnostics", "Encoding", "HTTPFraming", "HTTPServer", "History", "JSON", "JWT", "Linux", "OpenSSL", "RunProtocol",
                "Runs", "TLS", "Threads",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),

        .executableTarget(name: "SyncServiceMain", dependencies: ["SyncService"], swiftSettings: strict),

        // Built with everything else, so that it keeps compiling; run by scripts/bench-audit.sh.
        .executableTarget(
            name: "AuditBenchmark", dependencies: ["AuditLog", "History", "JSON", "RunProtocol", "SQLite"],
            path: "Benchmarks/AuditBenchmark", swiftSettings: strict),

        // Counts the instructions of the paths that every request takes; run by scripts/count-instructions.sh.
        .executableTarget(
            name: "InstructionCounts",
            dependencies: [
                "HTTPServer", "History", "JSON", "JWT", "Runs", "SyncService", .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOEmbedded", package: "swift-nio"),
            ],
            path: "Benchmarks/InstructionCounts", swiftSettings: strict),

        .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: strict),
        .testTarget(name: "JSONTests", dependencies: ["JSON", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "OpenSSLTests", dependencies: ["OpenSSL"], swiftSettings: strict),
        .testTarget(name: "JWTTests", dependencies: ["Encoding", "JWT", "JSON", "OpenSSL", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "SQLiteTests", dependencies: ["SQLite", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "MigrationsTests", dependencies: ["Migrations", "SQLite", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "LinuxTests", dependencies: ["Linux", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "SyncRunnerTests", dependencies: ["SyncRunner", "Linux", "RunProtocol", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "RunProtocolTests", dependencies: ["RunProtocol", "Linux", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "TLSTests",
            dependencies: [
                "TLS", "OpenSSL", "Linux", "TestSupport",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "AuditLogTests", dependencies: ["AuditLog", "Encoding", "OpenSSL", "JSON", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "EncodingTests", dependencies: ["Encoding"], swiftSettings: strict),
        .testTarget(name: "DiagnosticsTests", dependencies: ["Diagnostics"], swiftSettings: strict),
        .testTarget(name: "ThreadsTests", dependencies: ["Threads"], swiftSettings: strict),
        .testTarget(name: "HTTPFramingTests", dependencies: ["HTTPFraming", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "HTTPServerTests",
            dependencies: [
                "HTTPFraming", "HTTPServer", "JSON", "JWT", "Linux", "TLS", "TestSupport",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOEmbedded", package: "swift-nio"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "HistoryTests", dependencies: ["AuditLog", "History", "JSON", "Linux", "Migrations", "RunProtocol", "SQLite", "TestSupport"],
            swiftSettings: strict),
        .testTarget(name: "RunsTests", dependencies: ["History", "Linux", "RunProtocol", "Runs", "TestSupport", "Threads"], swiftSettings: strict),
        .testTarget(
            name: "SyncServiceTests",
            dependencies: [
                "SyncService", "AuditLog", "Diagnostics", "HTTPServer", "History", "JSON", "JWT", "Linux", "OpenSSL", "RunProtocol", "Runs",
                "TestSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ],
            swiftSettings: strict
        ),
    ]
)
