import Foundation
import ParvaEngine
import ParvaTestSupport
import ParvaWire

@testable import ParvaNode

/// Random legal states of a few GPUs of one product: what is foreign, what is owned, and what is wanted beside.
struct Scenario {
  var product: GPUProduct
  var seed: UInt64
  var gpus: [ObservedGPU] = []
  var owned: [OwnedInstance] = []
  var foreign: [OwnedInstance] = []
  var wanted = NodeAssignment(revision: 2, gpus: [])

  init(product: GPUProduct, seed: UInt64, gpuCount: Int = 2) {
    self.product = product
    self.seed = seed
    var random = SeededGenerator(seed: seed)
    var serial = 0
    for index in 0..<gpuCount {
      var gpu = ObservedGPU(product: product, index: index, uuid: SimulatedNode.uuid(index))
      let others = Self.legal(gpu, beside: [], share: 0.2, using: &random)
      let mine = Self.legal(gpu, beside: others, share: 0.8, using: &random)
      // Half of the wanted set starts from what is there, so that there is something to keep.
      let keep = Bool.random(using: &random) ? mine.filter { _ in Bool.random(using: &random) } : []
      let want = keep + Self.legal(gpu, beside: others + keep, share: 0.8, using: &random)
      for place in others + mine {
        serial += 1
        let whole = !mine.contains(place) || Int.random(in: 0..<8, using: &random) > 0
        let size = gpu.profile(id: place.profileID)?.size ?? 1
        var instance = ObservedInstance(
          id: serial % 13 + 20 * index, profileID: place.profileID, start: place.start, size: size)
        if whole {
          instance.computes = [
            ObservedCompute(id: 0, profileID: 0, smCount: 1, full: true, uuid: "MIG-before-\(serial)")
          ]
        }
        gpu.instances.append(instance)
        let record = OwnedInstance(gpu: gpu.uuid, place: place, instance: instance.id, uuid: instance.uuid)
        if mine.contains(place) { owned.append(record) } else { foreign.append(record) }
      }
      gpus.append(gpu)
      wanted.gpus.append(
        WantedGPU(
          uuid: gpu.uuid,
          instances: want.shuffled(using: &random).map { WantedInstance(profileID: $0.profileID, start: $0.start) }))
    }
  }

  /// A random legal set of places beside others; `share` is the chance to take each place that would fit.
  static func legal(
    _ gpu: ObservedGPU, beside others: [InstancePlace], share: Double, using random: inout SeededGenerator
  ) -> [InstancePlace] {
    var taken: UInt64 = 0
    var counts: [Int: Int] = [:]
    func mask(_ place: InstancePlace) -> UInt64 { gpu.profile(id: place.profileID)?.mask(at: place.start) ?? 0 }
    for place in others {
      taken |= mask(place)
      counts[place.profileID, default: 0] += 1
    }
    let all = gpu.profiles.flatMap { profile in
      profile.starts.map { InstancePlace(profileID: profile.id, start: $0) }
    }
    var chosen: [InstancePlace] = []
    for place in all.shuffled(using: &random) where Double.random(in: 0..<1, using: &random) < share {
      let limit = gpu.profile(id: place.profileID)?.maxInstances ?? 0
      guard taken & mask(place) == 0, counts[place.profileID, default: 0] < limit else { continue }
      taken |= mask(place)
      counts[place.profileID, default: 0] += 1
      chosen.append(place)
    }
    return chosen
  }

  /// A store that knows `owned` as its last verified state.
  func store(in directory: URL) throws -> NodeStore {
    let store = try NodeStore(directory: directory, bootID: "boot")
    let gpus = Dictionary(grouping: owned, by: \.gpu).map { uuid, owned in
      WantedGPU(
        uuid: uuid, instances: owned.map { WantedInstance(profileID: $0.place.profileID, start: $0.place.start) })
    }
    try store.journal.clear()
    try store.save(
      NodeStore.Verified(
        wanted: NodeAssignment(revision: 1, gpus: gpus), holdings: Holdings(owned: owned), bootID: "boot"))
    return store
  }

  /// Places of a GPU that are neither foreign nor empty, in order.
  func places(_ gpus: [ObservedGPU]) -> [String: [InstancePlace]] {
    var found: [String: [InstancePlace]] = [:]
    for gpu in gpus {
      found[gpu.uuid] = gpu.instances.map(\.place).filter { place in
        !foreign.contains { $0.gpu == gpu.uuid && $0.place == place }
      }.sorted()
    }
    return found
  }

  var wantedPlaces: [String: [InstancePlace]] {
    Dictionary(uniqueKeysWithValues: wanted.gpus.map { ($0.uuid, $0.instances.map(\.place).sorted()) })
  }

  var basePlaces: [String: [InstancePlace]] {
    Dictionary(
      uniqueKeysWithValues: gpus.map { gpu in
        (gpu.uuid, owned.filter { $0.gpu == gpu.uuid }.map(\.place).sorted())
      })
  }

  /// Owned instances that the plan wants too, whole as they are: nobody may touch them.
  var kept: [OwnedInstance] {
    owned.filter { $0.uuid != nil && wanted.instance(gpu: $0.gpu, place: $0.place) != nil }
  }
}

/// A folder in memory where the machine has one: the tests sync thousands of small files.
func scratchDirectory() -> URL {
  let shared = URL(filePath: "/dev/shm")
  let base =
    FileManager.default.isWritableFile(atPath: shared.path) ? shared : FileManager.default.temporaryDirectory
  return base.appendingPathComponent("parva-apply-\(UUID().uuidString)")
}
