import ArgumentParser
import Foundation
import ParvaFormats
import ParvaHTTP
import ParvaNode
import ParvaWire

/// `parva node doctor`: what works on this machine, what does not, and what mends it.
struct NodeDoctorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Look at what a node needs of this machine, change nothing, and tell what mends what is missing.",
    discussion: """
      Run it as the user that the agent runs as. The output holds no secret and is meant for reports. Exit code 4: \
      something would stop an apply.
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable { case table, json }

  @OptionGroup var options: NodeDriverOptions
  @Option(name: [.customShort("o"), .customLong("output")], help: "Format of the result.")
  var format: Format = .table
  @Flag(name: .long, help: "The agent would be started with --manage-mig-mode.")
  var manageMigMode = false
  @Option(name: .long, help: "MPS control program (default: nvidia-cuda-mps-control in PATH).")
  var mpsControl: String = "nvidia-cuda-mps-control"
  @Option(name: .long, help: "Folder for the sockets of MPS daemons, as of the agent.")
  var runDir: String?
  @Option(name: .long, help: "URL of the controller, to see whether it answers and how far its clock is off.")
  var controller: String?

  private struct Report: Encodable {
    var node: String
    var findings: [Finding]
    var stops: Int
  }

  func run() async throws {
    var question = Doctor.Question(
      stateDirectory: options.directory.path, runDirectory: options.runDirectory(runDir).path)
    question.managesMIGMode = manageMigMode
    question.mpsControl = mpsControl
    question.isSimulated = options.simulate != nil
    let passing = options.passingDirectory
    defer { if let passing { try? FileManager.default.removeItem(at: passing) } }
    let driver = try options.found(in: passing)
    var findings = Doctor(root: passing?.path ?? options.simulatedRoot ?? "", question).examine(driver)
    if let controller { findings.append(await ControllerCheck(url: controller).finding()) }
    let stops = findings.count { $0.grade == .stop }
    switch format {
    case .json:
      let report = Report(node: options.nodeName, findings: findings, stops: stops)
      try Console.write(try WireWriter.json(report, isForPeople: true) + Data("\n".utf8))
    case .table: try Console.write(Self.table(findings))
    }
    if stops > 0 {
      throw CommandFailure(.checkFailed, stops == 1 ? "1 thing stops an apply" : "\(stops) things stop an apply")
    }
  }

  private static func table(_ findings: [Finding]) -> String {
    findings.map { finding in
      let grade = finding.grade.rawValue.padding(toLength: 5, withPad: " ", startingAt: 0)
      let check = finding.check.padding(toLength: 17, withPad: " ", startingAt: 0)
      return "\(grade) \(check) \(finding.detail)\n" + (finding.mend.map { "      mend: \($0)\n" } ?? "")
    }.joined()
  }
}

/// Whether the controller answers, and by how much the two clocks differ.
struct ControllerCheck {
  var url: String

  func finding() async -> Finding {
    var configuration = HTTPClientConfiguration()
    configuration.timeout = .seconds(5)
    configuration.retries = 0
    let client = HTTPClient(configuration: configuration)
    defer { client.shutdown() }
    // What may stand before the host and after the path is a secret; the answer of a healthy controller needs none.
    guard var parts = URLComponents(string: url) else {
      return Finding("controller", .stop, "the controller's URL is none", mend: "name it as https://host:port")
    }
    parts.user = nil
    parts.password = nil
    parts.query = nil
    parts.fragment = nil
    let shown = parts.string ?? ""
    do {
      let answer = try await client.send(HTTPClientRequest(method: "GET", url: shown + "/healthz"))
      // The date of HTTP (RFC 9110, section 5.6.7).
      let form = DateFormatter()
      form.locale = Locale(identifier: "en_US_POSIX")
      form.timeZone = TimeZone(secondsFromGMT: 0)
      form.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
      guard let text = answer.headers["Date"], let there = form.date(from: text) else {
        return Finding("controller", .ok, "\(shown) answers \(answer.status)")
      }
      let offset = abs(there.timeIntervalSinceNow)
      return offset < 60
        ? Finding("controller", .ok, "\(shown) answers \(answer.status), and both clocks agree")
        : Finding(
          "controller", offset < 300 ? .warn : .stop,
          "\(shown) answers, and its clock is \(Int(offset)) seconds off this one: from 300 on its plans are refused",
          mend: "timedatectl set-ntp true on both")
    } catch {
      return Finding(
        "controller", .warn, "\(shown) is not reached: \(error.message)",
        mend: "see whether it runs and a firewall lets this machine through; the node keeps its plan meanwhile")
    }
  }
}
