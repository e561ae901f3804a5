import ArgumentParser
import Foundation
import ParvaFormats
import ParvaHTTP
import ParvaNode
import ParvaWire

/// How an agent ties itself to a controller.
struct ControllerLinkOptions: ParsableArguments {
  @Option(
    name: .long,
    help: """
      URL of the controller that the node registers with and reports to. Of several replicas all may be given, again or with \
      commas between them: the node speaks to the first that answers.
      """)
  var controller: [String] = []

  /// Each for itself, without a slash at its end.
  private var controllers: [String] {
    controller.flatMap { $0.split(separator: ",") }.map { url in
      let url = url.trimmingCharacters(in: .whitespaces)
      return url.hasSuffix("/") ? String(url.dropLast()) : url
    }
  }

  @Option(
    name: .long,
    help: "URL under which the controller reaches this agent (default: the first address that it listens on).")
  var advertise: String?

  @Option(name: .long, help: "Failure domain of the node, for example a rack or an availability zone.")
  var zone: String?

  @Option(name: .customLong("label"), help: "Label of the node as key=value; may be given several times.")
  var labels: [String] = []

  @Option(
    name: .long,
    help: """
      File with this node's token, where the controller asks for one (parva token create --role node --node NAME); the \
      environment variable PARVA_TOKEN does the same.
      """)
  var tokenFile: String?

  @Option(name: .long, help: "PEM of the authorities that the controller's certificate is checked against.")
  var controllerCA: String?

  private static let mostControllers = 16

  func validate() throws {
    if controller.isEmpty && advertise != nil { throw ValidationError("--advertise needs --controller.") }
    let urls = controllers.map { ("--controller", $0) } + (advertise.map { [("--advertise", $0)] } ?? [])
    if !controller.isEmpty && controllers.isEmpty { throw ValidationError("--controller names no URL.") }
    guard controllers.count <= Self.mostControllers else {
      throw ValidationError("--controller takes at most \(Self.mostControllers) URLs.")
    }
    for (option, url) in urls {
      if let fault = NodeSpecReader.addressFault(url) {
        throw ValidationError("\(option) '\(url)': \(fault).")
      }
    }
    if let zone, !NodeSpecReader.isZone(zone) {
      throw ValidationError("--zone '\(zone)': a zone is \(NodeSpecReader.zoneRule).")
    }
    for label in labels {
      let parts = label.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2, NodeSpecReader.isLabel(parts[0], parts[1]) else {
        throw ValidationError("--label must be key=value as Kubernetes writes labels, not '\(label)'.")
      }
    }
  }

  /// Nil without a controller.
  ///
  /// - Parameter listening: scheme and address that the agent listens on, for example `http://127.0.0.1:8090`.
  func configuration(name: String, secrets: [String], listening: String) throws -> ControllerLink.Configuration? {
    guard !controllers.isEmpty else { return nil }
    let address = advertise ?? listening
    guard NodeSpecReader.addressFault(address) == nil, !["//0.0.0.0:", "//[::]:"].contains(where: address.contains)
    else {
      throw CommandFailure(.badInput, "say with --advertise under which URL the controller reaches this agent")
    }
    guard NodeSpecReader.isName(name) else {
      throw CommandFailure(
        .badInput, "'\(name)' cannot be registered as a node; give --name in lower-case letters, digits, - and dots")
    }
    let pairs = labels.compactMap { label in
      label.firstIndex(of: "=").map { (String(label[..<$0]), String(label[label.index(after: $0)...])) }
    }
    var configuration = ControllerLink.Configuration(
      controllers: controllers, name: name,
      spec: NodeSpec(
        address: address, webhookSecret: secrets.first, zone: zone,
        labels: pairs.isEmpty ? nil : Dictionary(pairs, uniquingKeysWith: { $1 })))
    configuration.tls.caFile = controllerCA
    if let tokenFile {
      guard let text = try? String(contentsOfFile: tokenFile, encoding: .utf8) else {
        throw CommandFailure(.badInput, "\(tokenFile) cannot be read")
      }
      configuration.token = text.trimmingCharacters(in: .whitespacesAndNewlines)
    } else {
      configuration.token = ProcessInfo.processInfo.environment["PARVA_TOKEN"]
    }
    return configuration
  }
}
