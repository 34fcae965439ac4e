#include "proto/transport/identity_check.hpp"

namespace sluice::transport {

void check_identity(const Result<TlsIdentity, std::string>& identity, const app::ConfigValues& values,
                    std::int64_t now, app::CheckReport& report) {
  if (!identity) {
    report.errors.push_back(at_file_named(values, report.file, identity.error(), "tls.certificate"));
    return;
  }
  for (auto& warning : identity->warnings(now)) {
    const auto* key = warning.starts_with("the CA")    ? "tls.ca"
                      : warning.starts_with("tls.crl") ? "tls.crl"
                                                       : "tls.certificate";
    report.warnings.push_back(at_setting(values, report.file, key, std::move(warning)));
  }
}

}  // namespace sluice::transport
