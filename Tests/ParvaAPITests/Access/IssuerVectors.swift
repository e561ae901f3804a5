import Foundation
import Logging
import ParvaFormats
import ParvaHTTP
import Synchronization

@testable import ParvaAPI

/// Tokens that another implementation has signed (`Issuer/make.py`), with what is to become of each.
struct IssuerVectors: Sendable {
  struct Token: Sendable {
    var name: String
    var text: String
    /// A subject, or the code of a refusal.
    var answer: String
  }

  let now: Date
  let issuer: String
  let keys: Data
  /// After a rotation.
  let nextKeys: Data
  let nextToken: String
  let tokens: [Token]

  static let all: IssuerVectors = {
    let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Issuer/tokens.json")
    do {
      let document = try InputSource(Data(contentsOf: path), format: .json).value(limit: 1 << 20)
      return try IssuerVectors(document)
    } catch {
      fatalError("tokens.json: \(error)")
    }
  }()

  private init(_ document: JSONValue) throws {
    now = Date(timeIntervalSince1970: document["now"].number ?? 0)
    issuer = document["issuer"].text ?? ""
    keys = try JSONEncoder().encode(document["keys"])
    nextKeys = try JSONEncoder().encode(document["nextKeys"])
    nextToken = document["nextToken"].text ?? ""
    tokens = document["tokens"].elements.map {
      Token(name: $0["name"].text ?? "", text: $0["token"].text ?? "", answer: $0["answer"].text ?? "")
    }
  }

  func token(_ name: String) -> String { tokens.first { $0.name == name }?.text ?? "" }

  func settings(rules: [String] = ["reader groups=gpu"]) throws -> IssuerSettings {
    try IssuerSettings(issuer: issuer, audiences: ["parva"], rules: rules)
  }
}

/// An issuer that publishes what a test says, at times that it says.
final class FakeIssuer: Sendable {
  private struct State {
    var keys: Data?
    var readings = 0
    var seconds = 0.0
    var now: Date
  }

  private let state: Mutex<State>

  init(_ keys: Data? = IssuerVectors.all.keys, now: Date = IssuerVectors.all.now) {
    state = Mutex(State(keys: keys, now: now))
  }

  /// Nil: it is silent.
  func publish(_ keys: Data?) { state.withLock { $0.keys = keys } }

  func pass(_ seconds: Double) {
    state.withLock {
      $0.seconds += seconds
      $0.now += seconds
    }
  }

  var readings: Int { state.withLock(\.readings) }

  func tokens(
    pace: KeyRefresh.Pace = KeyRefresh.Pace(), wait: Duration = .seconds(60),
    rules: [String] = ["reader groups=gpu"]
  ) throws -> IssuedTokens {
    let keys = IssuerKeys(
      pace: pace, wait: wait, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
      now: { self.state.withLock(\.seconds) }
    ) { () async throws(IssuerKeySource.Failure) in
      let keys = self.state.withLock { state in
        state.readings += 1
        return state.keys
      }
      guard let keys else { throw IssuerKeySource.Failure("silent") }
      return keys
    }
    return IssuedTokens(
      try IssuerVectors.all.settings(rules: rules), keys: keys, now: { self.state.withLock(\.now) })
  }
}

extension IssuedTokens {
  /// Subject or code, for one-line expectations.
  func answer(_ token: String) -> String {
    do {
      return try caller(of: token).name
    } catch {
      return error.rawValue
    }
  }
}
