// The floor: what receiving, opening, sealing and sending cost without an edge around them. No replay window,
// no counters, no check of what is inside, no padding: figures below it are not to be had with these sockets.
#include <sys/uio.h>
#ifdef SLUICE_HAVE_IPSEC_MB
#include <intel-ipsec-mb.h>
#endif
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>

#include <array>
#include <cstring>
#include <vector>

#include "edge/dataplane/flat_table.hpp"
#include "esp/prefetch.hpp"
#include "load.hpp"
#include "path.hpp"
#include "proto/transport/socket_support.hpp"

namespace sluice::bench {
#ifdef SLUICE_HAVE_IPSEC_MB
namespace {

constexpr std::size_t kBatch = 64, kSlot = 2304, kRoom = 64, kEsp = 16, kIcv = 16, kUdp = 8, kRelay = 4;
constexpr std::size_t kAhead = 6;  // packets for which the keys are fetched early
constexpr std::size_t kGroSize = 65536, kGroBatch = 8, kMaxSegmented = 65000;
constexpr std::uint16_t kFloorNatt = 4502, kSocketsNatt = 4503, kSocketsPort = 4603;
constexpr int kPatienceMs = 20;

struct Sa {
  Spi spi;
  std::uint32_t client = 0;
  std::uint64_t sequence = 0;
  alignas(64) gcm_key_data in;  // the header asks for this only with LINUX defined
  alignas(64) gcm_key_data out;
  std::uint8_t salt_in[4], salt_out[4];
};

struct Packet {
  std::uint8_t* data = nullptr;
  std::size_t size = 0;
  Sa* sa = nullptr;
  std::uint8_t nonce[12], aad[12], tag[16];
};

int bound_socket(const Endpoint& at, bool gro) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  const int size = 64 << 20, on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
  if (gro) ::setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof on);
  sockaddr_storage name{};
  const auto length = transport::to_sockaddr(at, name);
  if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&name), length) != 0) fail("floor: cannot bind");
  return fd;
}

class Floor final : public RelayPath {
 public:
  Floor(const Nets& nets, bool crypto) : crypto_(crypto) {
    nets.enter_edge();
    clients_fd_ = bound_socket({kEdgeToClients, client_side_port()}, false);
    agent_fd_ = bound_socket({kEdgeToAgent, agent_side_port()}, true);
    manager_ = alloc_mb_mgr(0);
    init_mb_mgr_auto(manager_, nullptr);
    load_key(kSpiToAgent, agent_out_, agent_salt_out_);
    load_key(kSpiToEdge, agent_in_, agent_salt_in_);
    transport::to_sockaddr({kAgent, kAgentPort}, agent_name_);
  }
  ~Floor() override {
    ::close(clients_fd_);
    ::close(agent_fd_);
    free_mb_mgr(manager_);
  }
  std::string_view name() const override { return crypto_ ? "floor" : "sockets"; }
  std::uint16_t client_side_port() const override { return crypto_ ? kFloorNatt : kSocketsNatt; }
  std::uint16_t agent_side_port() const override { return crypto_ ? kFloorPort : kSocketsPort; }

  void use(const esp::Suite&, std::uint32_t clients) override {
    sas_ = std::vector<Sa>(clients);
    table_ = edge::FlatTable<Sa>(std::size_t{clients} * 2);
    for (std::uint32_t i = 0; i < clients; ++i) {
      auto& sa = sas_[i];
      sa.spi = spi_down(i);
      sa.client = i;
      load_key(spi_up(i), sa.in, sa.salt_in);
      load_key(spi_down(i), sa.out, sa.salt_out);
      table_.insert(spi_up(i).value(), &sa);
    }
  }

  void relay_up(std::size_t packets) override {
    for (std::size_t done = 0; done < packets;) {
      const std::size_t got = receive_singles();
      if (got == 0 && !wait(clients_fd_)) return;
      open_up(got);
      seal_up(got);
      send_runs(agent_fd_, got, true);
      done += got;
    }
  }

  void relay_down(std::size_t packets) override {
    for (std::size_t done = 0; done < packets;) {
      const std::size_t messages = receive_gro();
      if (messages == 0 && !wait(agent_fd_)) return;
      std::size_t count = 0;
      for (std::size_t m = 0; m < messages; ++m) {
        for (std::size_t at = 0; at < gro_length_[m]; at += gro_segment_[m]) {
          add_frame(count, gro_.data() + m * kGroSize + at, std::min(gro_segment_[m], gro_length_[m] - at));
          ++done;
          if (++count == kBatch) flush_down(std::exchange(count, 0));
        }
      }
      flush_down(count);
    }
  }

 private:
  void load_key(Spi spi, gcm_key_data& key, std::uint8_t* salt) {
    const auto bytes = key_for(spi, 20);
    manager_->gcm128_pre(bytes.data(), &key);
    std::memcpy(salt, bytes.data() + 16, 4);
  }
  /// What no crypto has decrypted names no client.
  std::size_t next_client() { return (next_ += 7919) % sas_.size(); }
  static bool wait(int fd) {
    pollfd one{fd, POLLIN, 0};
    return ::poll(&one, 1, kPatienceMs) > 0;
  }
  std::uint8_t* slot(std::size_t i) { return slots_.data() + i * kSlot + kRoom; }

  std::size_t receive_singles() {
    for (std::size_t i = 0; i < kBatch; ++i) {
      vectors_[i] = {slot(i), kSlot - kRoom};
      auto& header = headers_[i].msg_hdr;
      header = {};
      header.msg_iov = &vectors_[i];
      header.msg_iovlen = 1;
      header.msg_name = &names_[i];
      header.msg_namelen = sizeof names_[i];
    }
    const int got = ::recvmmsg(clients_fd_, headers_.data(), kBatch, MSG_DONTWAIT, nullptr);
    return got > 0 ? static_cast<std::size_t>(got) : 0;
  }

  std::size_t receive_gro() {
    for (std::size_t i = 0; i < kGroBatch; ++i) {
      vectors_[i] = {gro_.data() + i * kGroSize, kGroSize};
      auto& header = headers_[i].msg_hdr;
      header = {};
      header.msg_iov = &vectors_[i];
      header.msg_iovlen = 1;
      header.msg_control = controls_[i].bytes;
      header.msg_controllen = sizeof controls_[i].bytes;
    }
    const int got = ::recvmmsg(agent_fd_, headers_.data(), kGroBatch, MSG_DONTWAIT, nullptr);
    for (int i = 0; i < got; ++i) {
      const auto m = static_cast<std::size_t>(i);
      gro_length_[m] = headers_[m].msg_len;
      const auto segment = transport::read_control(headers_[m].msg_hdr).segment;
      gro_segment_[m] = segment == 0 ? gro_length_[m] : segment;
    }
    return got > 0 ? static_cast<std::size_t>(got) : 0;
  }

  /// Round keys, and as many of the last powers of the hash key as there are blocks.
  static void prefetch_key(const gcm_key_data& key, std::size_t size) {
    esp::prefetch_lines(&key, 0, 176);
    const std::size_t powers = std::min<std::size_t>(sizeof key - 240, (size / 16 + 4) * 16);
    esp::prefetch_lines(&key, (sizeof key - powers) / 64 * 64, sizeof key);
  }

  /// `aad` at the header, text behind the IV, `to` where the text goes.
  void submit(bool seal, const gcm_key_data& key, const std::uint8_t* salt, Packet& p,
              const std::uint8_t* esp, std::uint8_t* to, std::size_t text, std::uint64_t high) {
    if (!crypto_) return;
    IMB_JOB& job = *manager_->get_next_job(manager_);
    std::memcpy(p.nonce, salt, 4);
    std::memcpy(p.nonce + 4, esp + 8, 8);
    job.u.GCM.aad = esp;
    job.u.GCM.aad_len_in_bytes = 8;
    if (high != UINT64_MAX) {
      std::memcpy(p.aad, esp, 4);
      store_be32(p.aad + 4, static_cast<std::uint32_t>(high));
      std::memcpy(p.aad + 8, esp + 4, 4);
      job.u.GCM.aad = p.aad;
      job.u.GCM.aad_len_in_bytes = 12;
    }
    job.enc_keys = job.dec_keys = &key;
    job.key_len_in_bytes = 16;
    job.src = esp;
    job.dst = to;
    job.cipher_start_src_offset_in_bytes = kEsp;
    job.msg_len_to_cipher_in_bytes = text;
    job.iv = p.nonce;
    job.iv_len_in_bytes = 12;
    job.auth_tag_output = p.tag;
    job.auth_tag_output_len_in_bytes = kIcv;
    job.cipher_mode = IMB_CIPHER_GCM;
    job.hash_alg = IMB_AUTH_AES_GMAC;
    job.cipher_direction = seal ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
    job.chain_order = seal ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
    manager_->submit_job_nocheck(manager_);
    if (seal) std::memcpy(to + text, p.tag, kIcv);
  }

  void open_up(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      auto& p = packets_[i];
      p.data = slot(i);
      p.size = headers_[i].msg_len;
      p.sa = table_.find(load_be32(p.data));
      if (p.sa == nullptr) fail("floor: unknown SPI");
    }
    for (std::size_t i = 0; i < count; ++i) {
      auto& p = packets_[i];
      if (i + kAhead < count) prefetch_key(packets_[i + kAhead].sa->in, packets_[i + kAhead].size);
      submit(false, p.sa->in, p.sa->salt_in, p, p.data, p.data + kEsp, p.size - kEsp - kIcv, UINT64_MAX);
    }
    for (std::size_t i = 0; i < count; ++i) {
      auto& p = packets_[i];
      if (crypto_ && std::memcmp(p.tag, p.data + p.size - kIcv, kIcv) != 0) fail("floor: not authentic");
    }
  }

  void seal_up(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      auto& p = packets_[i];
      // UDP header off, relay id on: the rest stays where it is.
      p.data += kUdp - kRelay;
      p.size -= kUdp - kRelay;
      store_be32(p.data, kSpiToAgent.value());
      store_be32(p.data + 4, static_cast<std::uint32_t>(++agent_sequence_));
      store_be64(p.data + 8, agent_sequence_);
      store_be32(p.data + kEsp, p.sa->client + 1);
      submit(true, agent_out_, agent_salt_out_, p, p.data, p.data + kEsp, p.size - kEsp - kIcv, 0);
    }
  }

  void add_frame(std::size_t i, const std::uint8_t* frame, std::size_t size) {
    auto& p = packets_[i];
    p.data = slot(i);
    p.size = size;
    submit(false, agent_in_, agent_salt_in_, p, frame, p.data + kEsp, size - kEsp - kIcv, 0);
    if (crypto_ && std::memcmp(p.tag, frame + size - kIcv, kIcv) != 0) fail("floor: not authentic");
  }

  void flush_down(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      auto& p = packets_[i];
      p.sa = &sas_[crypto_ ? load_be32(p.data + kEsp) - 1 : next_client()];
      esp::prefetch_line(p.sa);
    }
    for (std::size_t i = 0; i < count; ++i) {
      auto& p = packets_[i];
      if (i + kAhead < count) prefetch_key(packets_[i + kAhead].sa->out, packets_[i + kAhead].size);
      auto& sa = *p.sa;
      p.data -= kUdp - kRelay;
      p.size += kUdp - kRelay;
      store_be32(p.data, sa.spi.value());
      store_be32(p.data + 4, static_cast<std::uint32_t>(++sa.sequence));
      store_be64(p.data + 8, sa.sequence);
      store_be64(p.data + kEsp, 0x06a506a500000000ULL | ((p.size - 2 * kEsp - kIcv) << 16));
      submit(true, sa.out, sa.salt_out, p, p.data, p.data + kEsp, p.size - kEsp - kIcv, UINT64_MAX);
      transport::to_sockaddr({client_address(sa.client), kClientPort}, names_[i]);
    }
    if (count > 0) send_runs(clients_fd_, count, false);
  }

  void send_runs(int fd, std::size_t count, bool to_agent) {
    std::size_t messages = 0;
    for (std::size_t i = 0; i < count;) {
      std::size_t run = 0, bytes = 0;
      const auto size = packets_[i].size;
      const auto first = i;
      while (i < count && packets_[i].size == size && bytes + size <= kMaxSegmented &&
             (to_agent || packets_[i].sa == packets_[first].sa)) {
        vectors_[i] = {packets_[i].data, size};
        bytes += size;
        ++run;
        ++i;
      }
      auto& header = headers_[messages].msg_hdr;
      header = {};
      header.msg_name = to_agent ? &agent_name_ : &names_[first];
      header.msg_namelen = sizeof(sockaddr_in);
      header.msg_iov = &vectors_[first];
      header.msg_iovlen = run;
      if (run > 1)
        transport::write_control(header, controls_[messages], IpAddress(), static_cast<std::uint16_t>(size));
      ++messages;
    }
    if (::sendmmsg(fd, headers_.data(), static_cast<unsigned>(messages), 0) != static_cast<int>(messages)) {
      fail("floor: sendmmsg");
    }
  }

  bool crypto_;
  int clients_fd_ = -1, agent_fd_ = -1;
  IMB_MGR* manager_ = nullptr;
  alignas(64) gcm_key_data agent_in_;
  alignas(64) gcm_key_data agent_out_;
  std::uint8_t agent_salt_in_[4], agent_salt_out_[4];
  std::uint64_t agent_sequence_ = 0;
  std::size_t next_ = 0;
  sockaddr_storage agent_name_{};
  std::vector<Sa> sas_;
  edge::FlatTable<Sa> table_;
  std::array<Packet, kBatch> packets_{};
  std::array<mmsghdr, kBatch> headers_{};
  std::array<iovec, kBatch> vectors_{};
  std::array<sockaddr_storage, kBatch> names_{};
  std::array<transport::ControlRoom, kBatch> controls_{};
  std::array<std::size_t, kGroBatch> gro_length_{}, gro_segment_{};
  ByteVector slots_ = ByteVector(kBatch * kSlot), gro_ = ByteVector(kGroBatch * kGroSize);
};

}  // namespace

std::unique_ptr<RelayPath> make_floor(const Nets& nets, bool crypto) {
  return std::make_unique<Floor>(nets, crypto);
}
#else
std::unique_ptr<RelayPath> make_floor(const Nets&, bool) {
  return nullptr;
}
#endif

}  // namespace sluice::bench
