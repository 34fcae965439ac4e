#include "edge/ctl/gzip.hpp"

#include <zlib.h>

namespace sluice::ctl {

std::optional<ByteVector> gzip(Bytes plain) {
  constexpr int kWithGzipHeader = 16, kWindow = 15, kMemory = 8;
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, kWindow + kWithGzipHeader, kMemory,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    return std::nullopt;
  }
  const auto size = narrow<uInt>(plain.size());
  ByteVector out(deflateBound(&stream, static_cast<uLong>(plain.size())));
  const auto room = narrow<uInt>(out.size());
  bool done = false;
  if (size && room) {
    // zlib reads its input; the type says less.
    stream.next_in = const_cast<Bytef*>(plain.data());
    stream.avail_in = *size;
    stream.next_out = out.data();
    stream.avail_out = *room;
    done = deflate(&stream, Z_FINISH) == Z_STREAM_END;
  }
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return done ? std::optional(std::move(out)) : std::nullopt;
}

}  // namespace sluice::ctl
