package import Foundation

/// Format of an input, told by its name or its first bytes.
package enum InputFormat: String, Hashable, Sendable, CaseIterable {
  case json, yaml, csv
  /// One JSON document a line.
  case ndjson
}

/// Bytes from outside with the name that refusals are to show.
package struct InputSource: Sendable {
  package var data: Data
  /// Path as the user gave it, `-` for standard input, nil for a request body.
  package var name: String?
  package var format: InputFormat

  /// - Parameter format: what the sender declared; without it the name's extension and then the bytes decide.
  package init(_ data: Data, name: String? = nil, format: InputFormat? = nil) {
    self.data = Self.withoutMark(data)
    self.name = name
    self.format = format ?? Self.format(named: name) ?? Self.format(of: self.data)
  }

  /// The bytes after a UTF-8 byte order mark, if there is one.
  private static func withoutMark(_ data: Data) -> Data {
    data.starts(with: [0xef, 0xbb, 0xbf]) ? data.dropFirst(3) : data
  }

  private static func format(named name: String?) -> InputFormat? {
    switch name.map({ ($0 as NSString).pathExtension.lowercased() }) {
    case "json": .json
    case "yaml", "yml": .yaml
    case "csv": .csv
    case "ndjson", "jsonl": .ndjson
    default: nil
    }
  }

  /// JSON begins with a bracket; CSV has a comma in its first line before any colon; all else is YAML.
  private static func format(of data: Data) -> InputFormat {
    let start = data.prefix(4096).drop { [0x20, 0x09, 0x0a, 0x0d].contains($0) }
    if let first = start.first, first == 0x7b || first == 0x5b { return .json }
    for byte in start {
      if byte == 0x2c { return .csv }
      if byte == 0x3a || byte == 0x0a { return .yaml }
    }
    return .yaml
  }

  /// Refuses what is not JSON or YAML, or says one key twice. O(bytes).
  package func checkSyntax(limit: Int) throws(InputErrors) { _ = try InputDocument(self, limit: limit) }

  /// JSON or YAML of no particular shape. O(bytes).
  package func value(limit: Int) throws(InputErrors) -> JSONValue {
    try InputDocument(self, limit: limit).decode(JSONValue.self)
  }

  /// A mapping of names to scalars or lists of scalars, each as it is written: `007` stays `007`. O(bytes).
  package func settings(limit: Int) throws(InputErrors) -> [String: WrittenSetting] {
    try InputDocument(self, limit: limit).decode([String: WrittenSetting].self)
  }

  /// Refuses an input over its limit before any of it is parsed.
  func checkSize(_ limit: Int) throws(InputErrors) {
    let allowed = format == .yaml ? min(limit, InputLimits.yamlBytes) : limit
    guard data.count <= allowed else { throw InputErrors(Self.tooLarge(allowed, name: name, format: format)) }
  }

  private static func tooLarge(_ limit: Int, name: String?, format: InputFormat? = nil) -> InputError {
    let kind = format.map { " of \($0.rawValue.uppercased())" } ?? ""
    let advice = format == .yaml ? "; JSON may be larger" : ""
    return InputError(
      .tooLarge, "more than \(InputError.size(limit))\(kind), the most that is read\(advice)", file: name)
  }
}

extension InputSource {
  /// Reads a file, or standard input for `-`, and stops at the limit: memory stays bounded whatever stands there.
  ///
  /// - Parameter isRegular: whether it has to be a regular file, or a link to one. What a service reads at its start is:
  ///   the end of a pipe may never come, and opening one whose other end nobody opens waits for ever.
  /// - Throws: `unreadable`, `too_large`.
  package static func load(
    _ path: String, format: InputFormat? = nil, limit: Int = InputLimits.fileBytes, isRegular: Bool = false
  ) throws(InputErrors) -> InputSource {
    let isFile = path == "-" ? false : isRegular ? try isRegularOrFolder(path) : true
    if isRegular, !isFile {
      throw InputErrors(InputError(.unreadable, "is no regular file", file: path))
    }
    let handle = try open(path)
    if path != "-", let size = size(path), size > limit { throw InputErrors(tooLarge(limit, name: path)) }
    defer { if path != "-" { try? handle.close() } }
    // Of a file as much as it needs, once.
    var data = Data(capacity: path == "-" ? 0 : min(size(path) ?? 0, limit) + 1)
    do {
      while data.count <= limit, let chunk = try handle.read(upToCount: min(1 << 20, limit + 1 - data.count)),
        !chunk.isEmpty
      {
        data.append(chunk)
      }
    } catch {
      throw InputErrors(InputError(.unreadable, "cannot be read: \(reason(error))", file: path))
    }
    guard data.count <= limit else { throw InputErrors(tooLarge(limit, name: path)) }
    return InputSource(data, name: path, format: format)
  }

  private static func open(_ path: String) throws(InputErrors) -> FileHandle {
    if path == "-" { return .standardInput }
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
      throw InputErrors(InputError(.unreadable, "no such file", file: path))
    }
    guard !isDirectory.boolValue else {
      throw InputErrors(InputError(.unreadable, "is a folder, a file is expected", file: path))
    }
    do {
      return try FileHandle(forReadingFrom: URL(filePath: path))
    } catch {
      throw InputErrors(InputError(.unreadable, "cannot be opened: \(reason(error))", file: path))
    }
  }

  /// - Throws: `unreadable` where there is nothing, or nothing that may be looked at.
  private static func isRegularOrFolder(_ path: String) throws(InputErrors) -> Bool {
    var status = stat()
    guard stat(path, &status) == 0 else {
      let reason = errno == ENOENT ? "no such file" : "cannot be opened: \(String(cString: strerror(errno)))"
      throw InputErrors(InputError(.unreadable, reason, file: path))
    }
    return status.st_mode & S_IFMT == S_IFREG || status.st_mode & S_IFMT == S_IFDIR
  }

  /// Bytes of a regular file; nil for pipes and devices, which tell nothing beforehand.
  private static func size(_ path: String) -> Int? {
    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
    guard attributes?[.type] as? FileAttributeType == .typeRegular else { return nil }
    return attributes?[.size] as? Int
  }

  private static func reason(_ error: any Error) -> String {
    let error = error as NSError
    let cause = error.userInfo[NSUnderlyingErrorKey] as? NSError
    return (cause ?? error).localizedDescription
  }
}
