import ParvaWire

/// A mig-parted configuration: named lists of how many instances of which profile which GPUs are to have.
package struct MigPartedConfig: Sendable, Hashable {
  /// One entry of a named configuration.
  package struct Entry: Sendable, Hashable {
    /// GPU indices; nil is `all`.
    package var devices: [Int]?
    package var migEnabled: Bool
    /// Profile name to count, by name.
    package var migDevices: [(name: String, count: Int)]
    /// Combined PCI ids the entry is limited to; empty is every board.
    package var deviceFilter: [String]

    package init(
      devices: [Int]?, migEnabled: Bool, migDevices: [(name: String, count: Int)], deviceFilter: [String] = []
    ) {
      self.devices = devices
      self.migEnabled = migEnabled
      self.migDevices = migDevices
      self.deviceFilter = deviceFilter
    }

    package static func == (a: Entry, b: Entry) -> Bool {
      a.devices == b.devices && a.migEnabled == b.migEnabled && a.deviceFilter == b.deviceFilter
        && a.migDevices.elementsEqual(b.migDevices) { $0 == $1 }
    }

    package func hash(into hasher: inout Hasher) {
      hasher.combine(devices)
      hasher.combine(migEnabled)
      for device in migDevices {
        hasher.combine(device.name)
        hasher.combine(device.count)
      }
    }
  }

  package var configs: [(name: String, entries: [Entry])]

  package init(configs: [(name: String, entries: [Entry])]) { self.configs = configs }

  package static func == (a: MigPartedConfig, b: MigPartedConfig) -> Bool {
    a.configs.elementsEqual(b.configs) { $0 == $1 }
  }

  package func hash(into hasher: inout Hasher) {
    for config in configs {
      hasher.combine(config.name)
      hasher.combine(config.entries)
    }
  }
}

/// Reads mig-parted's YAML, version `v1`.
package enum MigPartedReader {
  /// Whether a document is mig-parted's rather than ours.
  package static func isMigParted(_ source: InputSource) -> Bool {
    source.format == .yaml && String(decoding: source.data, as: UTF8.self).contains("mig-configs:")
  }

  /// - Throws: every refusal found, each with its place.
  package static func read(_ source: InputSource) throws(InputErrors) -> MigPartedConfig {
    let document = try InputDocument(source, limit: NodeAssignmentReader.bytes)
    let spec = try document.decode(Spec.self)
    var refusals = Refusals()
    if spec.version != "v1" {
      refusals.add(
        document.error(.unsupportedVersion, "version must be v1", at: ["version"], value: spec.version))
    }
    var configs: [(name: String, entries: [MigPartedConfig.Entry])] = []
    for (name, entries) in spec.configs.sorted(by: { $0.key < $1.key }) {
      for (index, entry) in entries.enumerated() {
        for (profile, count) in entry.migDevices where !(0...64).contains(count) {
          refusals.add(
            document.error(
              .outOfRange, "a count must be 0 to 64",
              at: ["mig-configs", name, String(index), "mig-devices", profile], value: String(count)))
        }
      }
      configs.append(
        (
          name,
          entries.map { entry in
            MigPartedConfig.Entry(
              devices: entry.devices, migEnabled: entry.migEnabled,
              migDevices: entry.migDevices.sorted { $0.key < $1.key }.map { ($0.key, $0.value) },
              deviceFilter: entry.deviceFilter)
          }
        ))
    }
    try refusals.check()
    return MigPartedConfig(configs: configs)
  }

  private struct Spec: Decodable {
    var version: String
    var configs: [String: [EntrySpec]]

    private enum CodingKeys: String, CodingKey {
      case version
      case configs = "mig-configs"
    }
  }

  private struct EntrySpec: Decodable {
    var devices: [Int]?
    var migEnabled: Bool
    var migDevices: [String: Int]
    var deviceFilter: [String]

    private enum CodingKeys: String, CodingKey {
      case devices
      case migEnabled = "mig-enabled"
      case migDevices = "mig-devices"
      case deviceFilter = "device-filter"
    }

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      if let word = try? container.decode(String.self, forKey: .devices), word == "all" {
        devices = nil
      } else {
        devices = try container.decode([Int].self, forKey: .devices)
      }
      migEnabled = try container.decode(Bool.self, forKey: .migEnabled)
      migDevices = try container.decodeIfPresent([String: Int].self, forKey: .migDevices) ?? [:]
      if let one = try? container.decode(String.self, forKey: .deviceFilter) {
        deviceFilter = [one]
      } else {
        deviceFilter = try container.decodeIfPresent([String].self, forKey: .deviceFilter) ?? []
      }
    }
  }
}

/// Writes mig-parted's YAML, version `v1`.
package enum MigPartedWriter {
  package static func yaml(_ config: MigPartedConfig) -> String {
    var lines = ["version: v1", "mig-configs:"]
    for (name, entries) in config.configs {
      lines.append("  \(name):")
      for entry in entries {
        let devices = entry.devices.map { "[" + $0.map(String.init).joined(separator: ", ") + "]" } ?? "all"
        lines.append("    - devices: \(devices)")
        if !entry.deviceFilter.isEmpty {
          lines.append("      device-filter: [" + entry.deviceFilter.map { "\"\($0)\"" }.joined(separator: ", ") + "]")
        }
        lines.append("      mig-enabled: \(entry.migEnabled)")
        lines.append("      mig-devices:" + (entry.migDevices.isEmpty ? " {}" : ""))
        for (profile, count) in entry.migDevices { lines.append("        \"\(profile)\": \(count)") }
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
