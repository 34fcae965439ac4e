#pragma once
// The fast engine on x86: Intel's multi-buffer library. Built where the library is (SLUICE_HAVE_IPSEC_MB).

#include <array>
#include <memory>
#include <string>

#include "esp/botan_engine.hpp"
#include "esp/engine.hpp"

struct IMB_MGR;

namespace sluice::esp {

/// AEADs go to the library one by one within a burst. CBC with HMAC is fast only when the lanes of its
/// multi-buffer code are filled by several packets, of any SAs: a few are done by Botan instead. So are
/// suites the library lacks or fails the known answers of.
class IpsecMbEngine final : public Engine {
 public:
  /// The error says why the library cannot be used on this machine.
  static Result<std::unique_ptr<Engine>, std::string> create(RandomSource& random);
  ~IpsecMbEngine() override;

  std::string_view name() const override { return "ipsec_mb"; }
  std::string_view backend(const Suite& suite) const override;

  std::size_t key_state_size(const Suite& suite, bool sealing) const override;
  bool load_key(void* state, const KeyMaterial& key) override;
  void drop_key(void* state, const Suite& suite) override;
  void run(std::span<CryptoJob* const> jobs) override;

 private:
  struct FreeManager {
    void operator()(IMB_MGR* manager) const;
  };
  using Manager = std::unique_ptr<IMB_MGR, FreeManager>;
  static constexpr std::size_t kBotanPlaces = 512;  // bursts too short for the library mean few SAs

  IpsecMbEngine(RandomSource& random, Manager manager);
  bool good(const Suite& s) const { return good_[static_cast<std::size_t>(s.id)]; }
  void* botan_key(void* state, const Suite& s) const;
  void run_library(std::span<CryptoJob* const> jobs);
  void run_botan(CryptoJob& job);

  BotanEngine botan_;
  Manager manager_;
  std::array<bool, kSuiteCount> good_{};
  bool testing_ = true;  ///< while the known answers run, nothing goes to Botan
};

}  // namespace sluice::esp
