// Replays a fuzz corpus without libFuzzer: every file as it is, cut short at every length, and with every bit
// flipped.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {
// Long seeds are cut and flipped only in their first bytes, so that a replay stays within seconds.
constexpr std::size_t kMutatedPrefix = 512;

std::size_t replay(std::vector<std::uint8_t> bytes) {
  std::size_t runs = 1;
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  const std::size_t prefix = std::min(bytes.size(), kMutatedPrefix);
  for (std::size_t cut = 0; cut < prefix; ++cut, ++runs) {
    // A copy of exactly that size, so that the address sanitizer sees a read past its end.
    const std::vector<std::uint8_t> part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(cut));
    LLVMFuzzerTestOneInput(part.data(), part.size());
  }
  for (std::size_t bit = 0; bit < prefix * 8; ++bit, ++runs) {
    bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ (1U << (bit % 8)));
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ (1U << (bit % 8)));
  }
  return runs;
}
}  // namespace

int main(int argc, char** argv) {
  std::size_t files = 0;
  std::size_t runs = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      std::ifstream in(entry.path(), std::ios::binary);
      runs += replay({std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()});
      ++files;
    }
  }
  std::printf("%zu seeds, %zu inputs replayed\n", files, runs);
  if (files == 0) std::fprintf(stderr, "no seed found: the corpus folder is empty\n");
  return files == 0 ? 1 : 0;
}
