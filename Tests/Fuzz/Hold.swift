/// Ends the fuzzer with a finding if a promise is broken. libFuzzer keeps the bytes that broke it.
@inline(never)
func hold(_ promise: Bool, _ what: @autoclosure () -> String) {
    guard !promise else { return }
    fatalError("broken promise: \(what())")
}

/// The input as an array, as the code under test takes it.
func array(_ data: UnsafePointer<UInt8>?, _ size: Int) -> [UInt8] {
    Array(UnsafeBufferPointer(start: data, count: size))
}
