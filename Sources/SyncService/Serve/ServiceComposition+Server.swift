import HTTPServer
import HTTPTypes
import History
import Linux
import Logging
import NIOPosix
import OpenSSL
import ServiceLifecycle
import TLS

extension ServiceComposition {
    private static let requestMemoryBytes = 16 << 20

    /// Everything between a connection and a handler.
    package var pipeline: ConnectionPipeline {
        let listener = settings.listener
        let sources = SourceAddress(trustedProxies: listener.trustedProxies)
        let responder = Responder(
            routes: Routes.bound(to: endpoints), authenticator: reloadable.authenticator, hosts: reloadable.hosts, sources: sources,
            cors: CORSPolicy(origins: listener.corsOrigins, exposedHeaders: HTTPField.Name.exposedToPages), hstsSeconds: listener.hstsSeconds,
            onRefusal: { [events] in events.record($0) }, translate: { RequestError(known: $0) }, logger: logger)
        return ConnectionPipeline(
            tls: reloadable.tls, limiter: ConnectionLimiter(maximum: Self.connections(), sources: sources),
            requestMemory: RequestMemory(maximum: Self.requestMemoryBytes), tlsFailures: TLSFailureLog(logger: logger), responder: responder)
    }

    /// The listener.
    var server: any Service {
        let listener = settings.listener
        let tls = reloadable.tls
        let certificate = tls?.value.certificate
        return Listener(host: listener.host, port: listener.port, pipeline: pipeline, eventLoops: MultiThreadedEventLoopGroup.singleton) {
            [logger] in
            ServiceManager.notify("READY=1")
            logger.notice("listening on \(tls == nil ? "http" : "https")://\(listener.host):\(listener.port)")
            if let certificate { logger.info("the certificate is valid until \(Timestamp.text(certificate.notAfter * 1000))") }
        }
    }

    /// How many connections the process has descriptors for; some are needed for everything else.
    private static func connections() -> Int { max(16, Process.raiseDescriptorLimit(to: 16384) - 128) }
}
