import Foundation

extension ProblemDetails {
  /// The problem as RFC 9457 writes it, with our members `code`, `pointer`, `parameter`, `errors`, `errorCount` and
  /// `requestId`.
  package func response(requestID: String) -> HTTPResponse {
    var json = #"{"type":"about:blank","title":"#
    json.appendJSON(HTTPStatus.reason(status))
    json += ",\"status\":\(status),\"detail\":"
    json.appendJSON(detail)
    json += ",\"code\":"
    json.appendJSON(code)
    if let pointer {
      json += ",\"pointer\":"
      json.appendJSON(pointer)
    }
    if let parameter {
      json += ",\"parameter\":"
      json.appendJSON(parameter)
    }
    if !errors.isEmpty {
      json += ",\"errors\":["
      for (index, fault) in errors.enumerated() {
        json += index == 0 ? "{\"code\":" : ",{\"code\":"
        json.appendJSON(fault.code)
        json += ",\"detail\":"
        json.appendJSON(fault.detail)
        if let pointer = fault.pointer {
          json += ",\"pointer\":"
          json.appendJSON(pointer)
        }
        if let line = fault.line { json += ",\"line\":\(line)" }
        json += "}"
      }
      json += "],\"errorCount\":\(max(errorCount, errors.count))"
    }
    json += ",\"requestId\":"
    json.appendJSON(requestID)
    json += "}\n"
    var response = HTTPResponse(status: status, headers: headers, body: Data(json.utf8))
    response.headers["Content-Type"] = "application/problem+json"
    return response
  }

  /// A query parameter that is not as its route wants it; `rule` completes the sentence "The query parameter 'x' ...".
  package static func parameter(_ name: String, _ rule: String, code: String = "invalid_parameter") -> ProblemDetails {
    ProblemDetails(status: 400, code: code, detail: "The query parameter '\(name)' \(rule).", parameter: name)
  }

  static func bodyTooLarge(limit: Int) -> ProblemDetails {
    ProblemDetails(
      status: 413, code: "body_too_large", detail: "The request body is larger than the \(limit) bytes allowed here.")
  }
}

extension String {
  /// Appends a JSON string literal (RFC 8259, section 7).
  fileprivate mutating func appendJSON(_ text: String) {
    append("\"")
    let isPlain = text.utf8.allSatisfy { $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
    if isPlain {
      append(text)
    } else {
      for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": append("\\\"")
        case "\\": append("\\\\")
        case "\n": append("\\n")
        case _ where scalar.value < 0x20:
          append("\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16))
        default: unicodeScalars.append(scalar)
        }
      }
    }
    append("\"")
  }
}
