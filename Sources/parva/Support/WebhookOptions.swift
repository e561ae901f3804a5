import ArgumentParser
import ParvaControl
import ParvaHTTP

/// How subscribers of a controller are told what happens.
struct WebhookOptions: ParsableArguments {
  @Option(
    name: .customLong("webhook-allow-network"),
    help: """
      A network that messages to subscribers may go to though it is not public, as 10.1.0.0/16, 127.0.0.1 or fd00::/8, with \
      http too; may be given several times. Without it they go to public addresses alone, by https.
      """)
  var networks: [String] = []

  @Option(name: .customLong("webhook-timeout"), help: "Seconds that a subscriber may take to answer a message.")
  var timeout = 15.0

  @Option(
    name: .customLong("webhook-retry-pause"),
    help: "Seconds before a message is tried again; doubled with each failure, up to an hour.")
  var retryPause = 5.0

  @Option(
    name: .customLong("webhook-ca"),
    help: "PEM of the authorities that subscribers' certificates are judged by (default: the system's).")
  var authority: String?

  func validate() throws {
    for network in networks where NetworkRange(network) == nil {
      throw ValidationError(
        "--webhook-allow-network must be an address, or the first of a network and its length, not '\(network)'.")
    }
    guard (0.1...300).contains(timeout) else { throw ValidationError("--webhook-timeout must be 0.1 to 300.") }
    guard (0.01...3600).contains(retryPause) else {
      throw ValidationError("--webhook-retry-pause must be 0.01 to 3600.")
    }
  }

  var settings: WebhookSender.Settings {
    var settings = WebhookSender.Settings()
    settings.allowed = networks.compactMap { NetworkRange($0) }
    settings.timeout = .seconds(timeout)
    settings.firstPause = .seconds(retryPause)
    settings.caFile = authority
    return settings
  }
}
