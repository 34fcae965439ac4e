#include "edge/ctl/tar.hpp"

#include <algorithm>
#include <numeric>

namespace sluice::ctl {
namespace {

constexpr std::size_t kBlock = 512;
/// Where the fields of a header begin.
constexpr std::size_t kName = 0, kMode = 100, kUid = 108, kGid = 116, kSize = 124, kMtime = 136,
                      kChecksum = 148, kType = 156, kMagic = 257, kOwner = 265, kGroup = 297;

std::size_t blocks(std::size_t bytes) {
  return (bytes + kBlock - 1) / kBlock * kBlock;
}

void put(MutableBytes header, std::size_t at, std::string_view text) {
  std::ranges::copy(as_bytes(text), header.subspan(at).begin());
}

/// `width` octal digits; what follows stays the zero that ends them.
void put_octal(MutableBytes header, std::size_t at, std::size_t width, std::uint64_t value) {
  for (std::size_t i = width; i-- > 0; value >>= 3)
    header[at + i] = static_cast<std::uint8_t>('0' + (value & 7));
}

void put_header(MutableBytes header, const TarEntry& entry, std::uint64_t made_at) {
  put(header, kName, std::string_view(entry.name).substr(0, 99));
  put_octal(header, kMode, 7, entry.mode);
  put_octal(header, kUid, 7, 0);
  put_octal(header, kGid, 7, 0);
  put_octal(header, kSize, 11, entry.content.size());
  put_octal(header, kMtime, 11, made_at);
  put(header, kType, "0");
  put(header, kMagic,
      std::string_view("ustar\0"
                       "00",
                       8));
  put(header, kOwner, std::string_view(entry.owner).substr(0, 31));
  put(header, kGroup, std::string_view(entry.group).substr(0, 31));
  // The sum is that of a header with blanks in its place.
  put(header, kChecksum, "        ");
  const auto sum = std::accumulate(header.begin(), header.end(), std::uint64_t{0});
  put_octal(header, kChecksum, 6, sum);
  header[kChecksum + 6] = 0;
}

}  // namespace

Secret tar_of(std::span<const TarEntry> entries, std::uint64_t made_at) {
  std::size_t size = 2 * kBlock;  // two empty blocks are the end
  for (const auto& entry : entries) size += kBlock + blocks(entry.content.size());
  Secret out(size);
  auto rest = out.mutable_bytes();
  for (const auto& entry : entries) {
    put_header(rest.first(kBlock), entry, made_at);
    std::ranges::copy(entry.content, rest.subspan(kBlock).begin());
    rest = rest.subspan(kBlock + blocks(entry.content.size()));
  }
  return out;
}

}  // namespace sluice::ctl
