package import ParvaEngine
package import ParvaHTTP
import ParvaServing
package import ParvaWire

/// What a controller that leads others knows of that.
package struct Leadership: Sendable {
  /// Whether nobody else can have led up to now.
  package var isSure: @Sendable () -> Bool
  /// Called where a node has heard of another controller's later term.
  package var onDeposed: @Sendable () -> Void

  package init(isSure: @escaping @Sendable () -> Bool = { true }, onDeposed: @escaping @Sendable () -> Void = {}) {
    (self.isSure, self.onDeposed) = (isSure, onDeposed)
  }
}

/// How plans are brought to nodes.
package struct PushSettings: Sendable {
  package var secrets = NodeSecrets()
  /// Trust and identity of the controller towards agents.
  package var tls = HTTPClientConfiguration.TLS()
  /// Requests to nodes at a time.
  package var concurrency = 128
  /// For one request.
  package var requestTimeout = Duration.seconds(15)
  /// How long a node may take, attempts and the node's own work included.
  package var deadline = Duration.seconds(600)
  /// Most between two attempts; what is waited is drawn from nothing up to a bound that doubles towards this.
  package var longestPause = Duration.seconds(5)
  /// Most between two looks at a node's operation.
  package var longestPoll = Duration.milliseconds(500)
  /// With automatic applies: between two looks whether every node has what it is to have.
  package var look = Duration.seconds(1)
  /// With automatic applies: before a node that failed is pushed to again; doubled up to ``longestRetry``.
  package var firstRetry = Duration.seconds(2)
  package var longestRetry = Duration.seconds(300)
  /// How long a node that has verified something may take to say what it looks like then.
  package var wordTimeout = Duration.seconds(3)
  /// How long servers that others wait for may take until they are up.
  package var servingTimeout = Duration.seconds(300)
  /// How long servers get no new requests before they are stopped; zero asks nobody to wait.
  package var drainTime = Duration.seconds(3)
  /// With automatic applies: most segments that are made within ``movesWindow``; nil is no limit.
  package var movesPerMinute: Int?
  package var movesWindow = Duration.seconds(60)
  /// What an apply does that says nothing else.
  package var maxUnavailable = 0.0
  package var onFailure = FleetOperationDocument.Rollout.FailureAction.stop
  /// In which the controller leads; 0 where it is the only one. Nodes refuse what comes of an earlier one than they have seen.
  var term = 0
  package var leadership = Leadership()
  /// Is told of operations and pushes that belong to a trace.
  var tracer: Tracer?
  /// Operations that the store keeps.
  package var kept = 1000

  package init() {}

  /// By which it is estimated how long a roll-out takes.
  package var timing: TransitionTiming { TransitionTiming(drain: drainTime.seconds) }

  var client: HTTPClientConfiguration {
    var configuration = HTTPClientConfiguration()
    configuration.tls = tls
    configuration.timeout = requestTimeout
    // A push repeats itself, with a new signature each time.
    configuration.retries = 0
    configuration.maxResponseBytes = 8 << 20
    // What nodes are told is for them alone.
    configuration.followsProxies = false
    return configuration
  }
}
