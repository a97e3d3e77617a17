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
        .executable(name: "sync-service", targets: ["SyncService"]),
        .executable(name: "sync-runner", targets: ["SyncRunner"]),
    ],
    dependencies: [
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1", traits: []),
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

        .target(name: "JSON", swiftSettings: strict),
        .target(name: "JWT", dependencies: ["OpenSSL", "JSON"], swiftSettings: strict),
        .target(
            name: "TLS", dependencies: ["OpenSSL", .product(name: "NIOCore", package: "swift-nio")], swiftSettings: strict),
        .target(name: "AuditLog", dependencies: ["OpenSSL", "JSON"], swiftSettings: strict),
        .target(name: "Migrations", dependencies: ["SQLite", "OpenSSL"], swiftSettings: strict),
        .target(name: "RunProtocol", dependencies: ["Linux"], swiftSettings: strict),

        .executableTarget(
            name: "SyncRunner",
            dependencies: ["RunProtocol", "Linux", "COpenSSL"],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "SyncService",
            dependencies: [
                "SQLite", "OpenSSL", "Linux", "JSON", "JWT", "TLS", "AuditLog", "Migrations", "RunProtocol",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),

        .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: strict),
        .testTarget(name: "JSONTests", dependencies: ["JSON", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "OpenSSLTests", dependencies: ["OpenSSL"], swiftSettings: strict),
        .testTarget(name: "JWTTests", dependencies: ["JWT", "JSON", "OpenSSL", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "SQLiteTests", dependencies: ["SQLite", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "MigrationsTests", dependencies: ["Migrations", "SQLite", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "RunProtocolTests", dependencies: ["RunProtocol", "Linux", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "TLSTests",
            dependencies: [
                "TLS", "OpenSSL", "Linux",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "AuditLogTests", dependencies: ["AuditLog", "OpenSSL", "JSON", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "SyncServiceTests",
            dependencies: [
                "SyncService", "AuditLog", "Linux", "RunProtocol", "TLS", "JSON", "SQLite", "TestSupport",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOEmbedded", package: "swift-nio"),
            ],
            swiftSettings: strict
        ),
        // No test: what make bench-audit measures. A test target, because it uses what is the service's own.
        .testTarget(
            name: "Benchmarks", dependencies: ["SyncService", "AuditLog", "SQLite", "JSON", "RunProtocol"], swiftSettings: strict),
    ]
)
