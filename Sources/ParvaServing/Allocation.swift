import Glibc

/// How the C library goes about memory.
package enum Allocation {
  /// Has blocks from 1 MiB on go back to the system as soon as they are freed.
  ///
  /// By itself it begins to keep such blocks once one was freed, in pieces that later ones do not fit: documents of plans are such
  /// blocks, and a controller of 100,000 workloads then holds half as much again.
  package static func returnLargeBlocks() {
    // `malloc.h` is not among what Swift imports of the C library; M_MMAP_THRESHOLD is -3 there.
    guard let symbol = dlsym(nil, "mallopt") else { return }
    let setOption = unsafeBitCast(symbol, to: (@convention(c) (Int32, Int32) -> Int32).self)
    _ = setOption(-3, 1 << 20)
  }
}
