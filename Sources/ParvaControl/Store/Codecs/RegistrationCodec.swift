import Foundation
import ParvaEngine
import ParvaFormats
import ParvaWire

/// Declarations of workloads as stores keep them: their wire JSON.
enum RegistrationCodec {
  static func data(_ workload: Workload) -> Data { WorkloadWriter.line(workload) }

  /// - Throws: `store_corrupt`, naming the workload.
  static func workload(_ data: Data, id: String) throws(StoreError) -> Workload {
    if let workload = WorkloadReader.readQuickly(InputSource(data, format: .json)) { return workload }
    do {
      return try WorkloadReader.workload(from: JSONDecoder().decode(WorkloadSpec.self, from: data))
    } catch {
      throw StoreError(.corrupt, "The store's workload \(id) cannot be read: \(error)")
    }
  }
}
