import Foundation
import Glibc

/// The end of a log, for people.
enum LogTail {
  static let lineLimit = 300

  /// The last line that is not empty, without control characters and cut short; nil where there is none.
  static func lastLine(_ path: String) -> String? {
    guard let descriptor = try? AtomicFile.openRegular(path, O_RDONLY) else { return nil }
    defer { close(descriptor) }
    let size = lseek(descriptor, 0, SEEK_END)
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = pread(descriptor, &buffer, buffer.count, max(0, size - buffer.count))
    guard count > 0 else { return nil }
    let lines = String(decoding: buffer[..<count], as: UTF8.self).split(whereSeparator: \.isNewline)
    return lines.reversed().lazy.map { cleaned(String($0)) }.first { !$0.isEmpty }
  }

  static func cleaned(_ text: String) -> String {
    let plain = String(
      String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 32 || $0.value == 127 ? " " : $0 }))
    return String(plain.trimmingCharacters(in: .whitespaces).prefix(lineLimit))
  }
}
