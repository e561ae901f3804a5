import ArgumentParser
import Foundation

/// The script that has bash offer values, as the parser writes it, and what bash needs beside: it takes a colon for the end of a
/// word, and ids of namespaces and addresses hold one.
enum BashCompletion {
  /// That of `command` with all of its verbs; nil where the command line does not ask for it.
  static func script(of command: any ParsableCommand.Type, _ arguments: [String]) -> String? {
    let option = "--generate-completion-script"
    let shell = ProcessInfo.processInfo.environment["SHELL"].map { ($0 as NSString).lastPathComponent }
    switch arguments {
    case [option, "bash"], ["\(option)=bash"]: break
    case [option] where shell == "bash": break
    default: return nil
    }
    return command.completionScript(for: .bash) + "\n" + wholeWords
  }

  /// Puts together what belongs together, asks, and takes off what bash itself leaves standing before the last colon.
  private static let wholeWords = #"""
    __parva_whole_words() {
        local -r line="${COMP_LINE:0:COMP_POINT}"
        local -a words=()
        local -i index cword=0
        local word
        for index in "${!COMP_WORDS[@]}"; do
            word="${COMP_WORDS[index]}"
            if ((index > 0)) && [[ "${word}" == :* || "${words[-1]}" == *: ]] &&
                ! [[ -z "${word}" && "${line}" == *[[:space:]] ]]; then
                words[-1]+="${word}"
            else
                words+=("${word}")
            fi
            ((index == COMP_CWORD)) && cword=$((${#words[@]} - 1))
        done
        COMP_WORDS=("${words[@]}")
        COMP_CWORD=${cword}
        local -r whole="${COMP_WORDS[COMP_CWORD]}"
        _parva "${1}" "${whole}" "${3}"
        [[ "${COMPREPLY[*]}" == *:* ]] && compopt +o filenames
        [[ "${whole}" == *:* ]] && COMPREPLY=("${COMPREPLY[@]#"${whole%:*}:"}")
        return 0
    }
    complete -o filenames -F __parva_whole_words parva

    """#
}
