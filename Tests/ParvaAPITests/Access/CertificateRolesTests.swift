import Foundation
import ParvaControl
import ParvaHTTP
import ParvaTestSupport
import Testing

@testable import ParvaAPI

@Suite struct CertificateRolesTests {
  private static let roles = """
    # who is who
    admin CN=root
    reader CN=dashboard
    node CN=*.nodes.example
    node CN=gpu-special gpu-9
    node URI=spiffe://fleet.example/node/*
    operator URI=spiffe://fleet.example/ci
    """

  @Test(
    "the first line that fits says what a certificate is good for",
    arguments: [
      ("CN=root", [], "admin", nil), ("CN=dashboard,O=Parva", [], "reader", nil),
      ("O=Parva,CN=dashboard", [], "reader", nil), ("CN=gpu-1.nodes.example", [], "node", "gpu-1"),
      ("CN=gpu-special", [], "node", "gpu-9"), ("O=Parva", ["spiffe://fleet.example/node/gpu-7"], "node", "gpu-7"),
      ("", ["https://other", "spiffe://fleet.example/ci"], "operator", nil),
    ] as [(String, [String], String, String?)])
  func firstLine(_ subject: String, _ uris: [String], _ role: String, _ node: String?) throws {
    let caller = try CertificateRoles(Self.roles).caller(subject: subject, uris: uris)
    #expect(caller?.role == role && caller?.node == node)
  }

  @Test(
    "what only looks like a name that is in the file is nobody's",
    arguments: [
      ("CN=Root", []), ("CN=root2", []), ("O=CN=root", []), (#"O=x\,CN=root"#, []), (#"O=x\+CN=root"#, []),
      ("CN=root,CN=dashboard", []), ("CN=a+CN=root", []), ("", []), ("CN=", []), ("OU=root", []),
      ("CN=.nodes.example", []), ("CN=a/b.nodes.example", []), (#"CN=ro\6Ft"#, []),
      ("O=Parva", ["spiffe://fleet.example/node/"]), ("O=Parva", ["spiffe://fleet.example/node/a/b"]),
      ("O=Parva", ["spiffe://fleet.example/node/../ci"]), ("O=Parva", ["spiffe://fleet.example/ci/x"]),
      ("CN=spiffe://fleet.example/ci", []),
    ] as [(String, [String])])
  func lookAlikes(_ subject: String, _ uris: [String]) throws {
    #expect(try CertificateRoles(Self.roles).caller(subject: subject, uris: uris) == nil)
  }

  @Test(
    "bad lines are refused by their number",
    arguments: [
      ("", nil), ("king CN=a", 1), ("reader", 1), ("reader a", 1), ("reader O=a", 1), ("reader CN=", 1),
      ("reader CN=a*b*", 1), ("\nnode CN=a b c", 2), ("reader CN=a b c", 1), ("admin CN=a b", 1), ("node CN=GPU_/", 1),
      ("node CN=* gpu", 1),
    ] as [(String, Int?)])
  func badLines(_ text: String, _ line: Int?) {
    let error = #expect(throws: TokenFileError.self) { try CertificateRoles(text) }
    #expect(error?.line == line)
  }

  @Test("a subject that OpenSSL would write is read back, whatever its values hold", arguments: 0..<4)
  func randomSubjects(_ round: Int) {
    let seed = TestSeed.of(offset: UInt64(round))
    var random = SeededGenerator(seed: seed)
    let characters = Array(#"abCN=,+\"<>;# -."#)
    func escaped(_ value: String) -> String {
      value.map { #",+"\<>;"#.contains($0) ? "\\\($0)" : String($0) }.joined()
    }
    for step in 0..<500 {
      func value() -> String {
        String((0..<Int.random(in: 1...8, using: &random)).map { _ in characters.randomElement(using: &random) ?? "a" })
      }
      let common = value()
      var parts = ["CN=\(escaped(common))"]
      for _ in 0..<Int.random(in: 0...3, using: &random) { parts.append("O=\(escaped(value()))") }
      parts.shuffle(using: &random)
      let subject = parts.joined(separator: Bool.random(using: &random) ? "," : "+")
      #expect(CertificateRoles.commonName(of: subject) == common, "seed \(seed), step \(step): \(subject)")
    }
  }
}
