import Logging
import ParvaWire

extension AssignmentVersion {
  /// As fields of the log.
  var fields: Logger.Metadata {
    phase == 0 ? ["revision": "\(revision)"] : ["revision": "\(revision)", "phase": "\(phase)"]
  }
}
