/// One entry of the route table.
package struct Route: Sendable {
  package enum Handler: Sendable {
    /// Runs on the event loop: for answers that need no waiting and microseconds of work.
    case inline(@Sendable (HTTPRequest) throws -> HTTPResponse)
    /// Begins on the event loop, with microseconds of work and a small body, and goes on on the worker pool where that
    /// was not all.
    case begun(@Sendable (HTTPRequest) throws -> Beginning)
    /// Runs on Swift's worker pool, with the whole body in memory.
    case async(@Sendable (HTTPRequest) async throws -> HTTPResponse)
  }

  /// What a handler has come to on the event loop.
  package enum Beginning: Sendable {
    case answer(HTTPResponse)
    /// The rest has to wait for something, or is much work.
    case rest(Rest)

    /// What comes of it in the end.
    package var response: HTTPResponse {
      get async throws {
        switch self {
        case .answer(let response): response
        case .rest(let rest): try await rest()
        }
      }
    }
  }

  /// What a gate asks of who calls a route. What levels mean, and who speaks for what, is the gate's to say.
  package struct Access: Sendable, Hashable {
    /// Callers that speak for one thing alone, beside those of the level.
    package enum Speakers: Sendable, Hashable {
      case none
      /// Those that speak for what this parameter of the path names.
      case of(parameter: String)
      case all
    }

    /// The least that a caller has to have; 0 for anybody.
    package var level: Int
    package var speakers: Speakers
    /// Whether calls of it are kept on record.
    package var isRecorded: Bool
    /// What who is bound to one namespace may do there.
    package enum Tenancy: String, Sendable, Hashable {
      /// Nothing: it is about the fleet, or about everybody.
      case none
      /// What its role allows, of its own namespace alone.
      case own
      /// What everybody may: it tells nothing of anybody.
      case any
    }

    package var tenancy = Tenancy.none
    /// Whether it is called in the rhythm of the service itself, which no limit on requests is to break.
    package var isHeartbeat: Bool

    package init(level: Int, speakers: Speakers = .none, isRecorded: Bool, isHeartbeat: Bool = false) {
      self.level = level
      self.speakers = speakers
      self.isRecorded = isRecorded
      self.isHeartbeat = isHeartbeat
    }
  }

  package typealias Rest = @Sendable () async throws -> HTTPResponse

  /// A handler that begins on the event loop is run on the worker pool as a whole where the body has more bytes.
  static let mostBytesOnLoop = 4_096

  package var method: String
  /// Path with `{name}` for a single segment, for example `/v1/workloads/{id}`.
  package var pattern: String
  /// Largest request body in bytes; more is answered 413 before it is read.
  package var bodyLimit: Int
  /// How many requests are answered at a time, streams until their end.
  package struct Concurrency: Hashable, Sendable {
    /// More are answered 503.
    package var most: Int
    /// Of one caller: the credentials of one namespace together, or one credential that is for all; more are answered 429.
    /// Nil: no bound of its own.
    package var share: Int?

    package init(most: Int, share: Int? = nil) { (self.most, self.share) = (most, share) }
  }

  /// Asked at each request, so that it may change; nil: no bound of its own. Has no effect on inline handlers, which are never two
  /// on a loop.
  package var concurrency: (@Sendable () -> Concurrency)?
  package var handler: Handler
  /// What the gate asks of who calls it; nil for a table without a gate.
  package var access: Access?
  /// Whether a handler that begins on the event loop does so whatever the size of the body: where most of it is passed over.
  package var takesLargeBodiesOnLoop = false
  /// Whether its handler itself does what a request that only asks what would be is to be answered.
  package var triesItself = false

  package init(
    _ method: String, _ pattern: String, bodyLimit: Int = 1 << 20, concurrency: Int? = nil, _ handler: Handler
  ) {
    self.method = method
    self.pattern = pattern
    self.bodyLimit = bodyLimit
    if let concurrency { self.concurrency = { Concurrency(most: concurrency) } }
    self.handler = handler
  }
}
