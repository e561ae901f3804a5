import ArgumentParser
import Logging
import ParvaAPI

/// Whose signed tokens a controller takes, beside those of its own.
struct IssuerOptions: ParsableArguments {
  @Option(
    name: .customLong("oidc-issuer"),
    help: """
      Take JSON Web Tokens of this OpenID Connect issuer, an address as their iss claim has it. With it every request needs a \
      credential.
      """)
  var issuer: String?

  @Option(
    name: .customLong("oidc-audience"),
    help: "For whom such tokens have to be made (aud); may be given several times, one has to fit.")
  var audiences: [String] = []

  @Option(
    name: .customLong("oidc-keys"),
    help: """
      Where the issuer's keys are: an address or a file with a JSON Web Key Set (default: what its \
      /.well-known/openid-configuration says). Read again by itself, and on SIGHUP.
      """)
  var keys: String?

  @Option(
    name: .customLong("oidc-role"),
    help: """
      What a claim is good for, as 'ROLE CLAIM=VALUE', for example 'operator groups=gpu-team'; may be given several times, the \
      greatest role counts. CLAIM may be a path a.b or /a/b, VALUE hold one *; with the role node it stands for the node. \
      ROLE@NAMESPACE is for one namespace alone, ROLE@* for that which the * stands for.
      """)
  var roles: [String] = []

  @Option(name: .customLong("oidc-name-claim"), help: "The claim that is a caller's name in logs.")
  var nameClaim = "sub"

  @Option(name: .customLong("oidc-skew"), help: "Seconds by which the issuer's clock may differ, 0 to 600.")
  var skew = 60

  @Option(
    name: .customLong("oidc-ca"), help: "PEM of the authorities of the issuer's address (default: the system's).")
  var caFile: String?

  var isOn: Bool { issuer != nil }

  func validate() throws {
    do {
      _ = try settings
    } catch {
      throw ValidationError("\(error)")
    }
    guard isOn || (audiences.isEmpty && keys == nil && roles.isEmpty && caFile == nil) else {
      throw ValidationError("--oidc-audience, --oidc-keys, --oidc-role and --oidc-ca need --oidc-issuer.")
    }
  }

  private var settings: IssuerSettings? {
    get throws(IssuerSettingError) {
      guard let issuer else { return nil }
      return try IssuerSettings(
        issuer: issuer, audiences: audiences, keys: keys, rules: roles, nameClaim: nameClaim, skew: skew, caFile: caFile
      )
    }
  }

  /// Judges tokens of the issuer; nil where none is named. A file of keys has to be good, an issuer may be silent at first.
  func issued(_ logger: Logger) async throws -> IssuedTokens? {
    guard let settings = try settings else { return nil }
    let source = IssuerKeySource(settings)
    let keys = IssuerKeys(pace: settings.pace, wait: settings.wait, logger: logger) {
      () async throws(IssuerKeySource.Failure) in try await source.read()
    }
    let issued = IssuedTokens(settings, keys: keys)
    if case .file = settings.keys {
      if let fault = await keys.begin() { throw CommandFailure(.badInput, fault) }
    }
    return issued
  }
}
