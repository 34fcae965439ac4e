#include "proto/pki/authority.hpp"

#include <botan/data_src.h>
#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <tuple>

#include "base/secret.hpp"
#include "base/text.hpp"
#include "proto/pki/chain.hpp"
#include "proto/pki/files.hpp"

namespace sluice::pki {
namespace {

namespace fs = std::filesystem;
using Error = std::optional<std::string>;

/// Names of files that are not an edge's or agent's.
constexpr std::array<std::string_view, 2> kReserved{"ca", "crl"};
/// Clocks in the field that are behind must not find a certificate of the future.
constexpr std::chrono::minutes kClockSkew{5};

Error check_name(const std::string& name) {
  if (!is_name(name)) {
    return "\"" + escaped(name) +
           "\" cannot be a name: letters, digits, '.', '-' and '_', the first a letter or digit";
  }
  if (std::ranges::find(kReserved, name) != kReserved.end())
    return "\"" + name + "\" is the name of a file of the CA's own";
  return std::nullopt;
}

std::optional<std::string> make_folder(const fs::path& folder) {
  std::error_code failed;
  fs::create_directories(folder.parent_path(), failed);
  if (failed) return folder.string() + ": " + failed.message();
  if (!fs::create_directory(folder, failed)) {
    return failed ? Error(folder.string() + ": " + failed.message()) : std::nullopt;
  }
  fs::permissions(folder, fs::perms::owner_all, failed);
  return failed ? Error(folder.string() + ": " + failed.message()) : std::nullopt;
}

Result<Botan::X509_Certificate, std::string> first_certificate(const std::string& pem, const fs::path& file) {
  try {
    const auto all = parse_certificates(pem);
    if (!all.empty()) return all.front();
    return Failure{file.string() + ": holds no certificate"};
  } catch (const std::exception& e) {
    return Failure{file.string() + ": not readable as PEM: " + e.what()};
  }
}

Result<IssuedCertificate, std::string> row_of(const Botan::X509_Certificate& certificate,
                                              const std::vector<Botan::X509_CRL>& crls) {
  auto name = read_peer_name(certificate);
  if (!name) return Failure{name.error()};
  IssuedCertificate row;
  row.who = std::move(*name);
  row.valid_from = unix_seconds(certificate.not_before());
  row.revoked_at = revoked_at(certificate, crls);
  return row;
}

}  // namespace

Authority::~Authority() {
  wipe({reinterpret_cast<std::uint8_t*>(ca_.key.data()), ca_.key.size()});
}

Error Authority::lock() {
  lock_.reset(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock_) {
    return folder_.string() + ": " + std::strerror(errno) +
           (errno == ENOENT ? "; 'sluicectl pki init' makes a CA" : "");
  }
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0)
    return folder_.string() + ": another program is at work on this CA; try again when it is done";
  return std::nullopt;
}

Result<Authority, std::string> Authority::init(const fs::path& folder, const std::string& name,
                                               std::chrono::days life, Clock::time_point now) {
  Authority out(fs::absolute(folder).lexically_normal());
  if (!out.folder_.has_filename()) out.folder_ = out.folder_.parent_path();
  if (auto error = make_folder(out.folder_)) return Failure{*error};
  if (auto error = out.lock()) return Failure{*error};
  for (const auto& file : {out.key_file("ca"), out.ca_file(), out.crl_file()}) {
    if (fs::exists(fs::symlink_status(file)))
      return Failure{file.string() + " is there already: nothing was changed; choose another --dir"};
  }
  const Validity validity{now - kClockSkew, now + life};
  auto ca = make_ca(name, validity);
  if (!ca) return Failure{ca.error()};
  out.ca_ = std::move(*ca);
  auto crl = make_crl(out.ca_, {}, {}, {now, now + kCrlDays});
  if (!crl) return Failure{crl.error()};
  out.crl_ = std::move(*crl);
  if (auto error = write_new_file(out.key_file("ca"), out.ca_.key)) return Failure{*error};
  if (auto error = write_new_file(out.ca_file(), out.ca_.certificate)) return Failure{*error};
  if (auto error = write_new_file(out.crl_file(), out.crl_)) return Failure{*error};
  return out;
}

Result<Authority, std::string> Authority::open(const fs::path& folder, Access access) {
  Authority out(fs::absolute(folder).lexically_normal());
  if (!out.folder_.has_filename()) out.folder_ = out.folder_.parent_path();
  if (auto error = out.lock()) return Failure{*error};
  auto ca = read_public_file(out.ca_file());
  if (!ca) return Failure{ca.error() + "; 'sluicectl pki init' makes a CA"};
  // Without its list the CA would forget what it took back, so it does not go on without.
  auto crl = read_public_file(out.crl_file());
  if (!crl) return Failure{crl.error() + "; restore it from a copy: it says what was revoked"};
  out.ca_.certificate = std::move(*ca);
  out.crl_ = std::move(*crl);
  const auto anchors = parse_anchors(out.ca_.certificate, out.crl_, {out.ca_file(), out.crl_file()});
  if (!anchors) return Failure{anchors.error()};
  if (anchors->crls.size() != 1) return Failure{out.crl_file().string() + ": must hold one CRL"};
  if (access == Access::kSign) {
    if (auto error = out.take_key()) return Failure{*error};
  }
  return out;
}

Error Authority::take_key() {
  auto key = read_key_file(key_file("ca"));
  if (!key) return key.error();
  ca_.key = std::move(*key);
  if (!key_belongs(ca_)) return key_file("ca").string() + ": this is not the key of " + ca_file().string();
  return std::nullopt;
}

Result<Validity, std::string> Authority::validity(std::chrono::days life, Clock::time_point now) const {
  const auto own = first_certificate(ca_.certificate, ca_file());
  if (!own) return Failure{own.error()};
  if (life < std::chrono::days(1)) return Failure{std::string("a certificate lasts a day at least")};
  const auto end = unix_seconds(own->not_after());
  const Validity out{now - kClockSkew, now + life};
  if (Clock::to_time_t(out.to) > end) {
    return Failure{"the CA itself ends on " + date_text(end) + ": choose fewer --days, or make a new CA"};
  }
  return out;
}

/// Before anything else, so that whatever is out there can be revoked.
Result<IssuedCertificate, std::string> Authority::record(const std::string& certificate) const {
  const auto parsed = first_certificate(certificate, "the new certificate");
  if (!parsed) return Failure{parsed.error()};
  auto row = row_of(*parsed, {});
  if (!row) return Failure{row.error()};
  const fs::path issued = folder_ / "issued";
  if (auto error = make_folder(issued)) return Failure{*error};
  if (auto error = write_new_file(issued / (row->who.serial + ".pem"), certificate)) return Failure{*error};
  row->current = true;
  return row;
}

Result<IssuedCertificate, std::string> Authority::issue(const Subject& subject, std::chrono::days life,
                                                        Clock::time_point now) {
  if (auto error = check_name(subject.name)) return Failure{*error};
  for (const auto& file : {key_file(subject.name), certificate_file(subject.name)}) {
    if (!fs::exists(fs::symlink_status(file))) continue;
    return Failure{file.string() + " is there already: nothing was changed; 'pki renew " + subject.name +
                   "' makes another certificate for that name"};
  }
  const auto span = validity(life, now);
  if (!span) return Failure{span.error()};
  const auto pair = issue_certificate(ca_, subject, *span);
  if (!pair) return Failure{pair.error()};
  auto row = record(pair->certificate);
  if (!row) return row;
  if (auto error = write_new_file(key_file(subject.name), pair->key)) return Failure{*error};
  if (auto error = write_new_file(certificate_file(subject.name), pair->certificate)) return Failure{*error};
  if (auto error = sign_crl({}, now)) return Failure{*error};
  return row;
}

Result<IssuedCertificate, std::string> Authority::renew(const std::string& name, const RenewOptions& options,
                                                        Clock::time_point now) {
  if (auto error = check_name(name)) return Failure{*error};
  const auto former_pem = read_public_file(certificate_file(name));
  if (!former_pem) return Failure{former_pem.error() + "; 'pki issue' makes a first certificate"};
  const auto former = first_certificate(*former_pem, certificate_file(name));
  if (!former) return Failure{former.error()};
  const auto anchors = parse_anchors(ca_.certificate, crl_);
  if (!anchors) return Failure{anchors.error()};
  const auto was = row_of(*former, anchors->crls);
  if (!was) return Failure{certificate_file(name).string() + ": " + was.error()};
  if (was->revoked_at && !options.new_key) {
    return Failure{"the certificate of " + name + " was revoked on " + date_text(*was->revoked_at) +
                   ", and its key with it: --new-key makes another"};
  }
  const auto span = validity(options.life, now);
  if (!span) return Failure{span.error()};
  const Subject subject{name, was->who.role, options.addresses.value_or(was->who.addresses)};
  auto row = options.new_key ? replace_key(subject, *span) : keep_key(subject, *span);
  if (!row) return row;
  if (auto error = sign_crl({}, now)) return Failure{*error};
  return row;
}

Result<IssuedCertificate, std::string> Authority::keep_key(const Subject& subject, const Validity& span) {
  auto key = read_key_file(key_file(subject.name));
  if (!key) return Failure{key.error()};
  const auto pair = issue_certificate(ca_, subject, span, *key);
  wipe({reinterpret_cast<std::uint8_t*>(key->data()), key->size()});
  if (!pair) return Failure{pair.error()};
  auto row = record(pair->certificate);
  if (!row) return row;
  if (auto error = replace_file(certificate_file(subject.name), pair->certificate)) return Failure{*error};
  return row;
}

Result<IssuedCertificate, std::string> Authority::replace_key(const Subject& subject, const Validity& span) {
  const auto pair = issue_certificate(ca_, subject, span);
  if (!pair) return Failure{pair.error()};
  auto row = record(pair->certificate);
  if (!row) return row;
  const fs::path retired = folder_ / "retired";
  if (auto error = make_folder(retired)) return Failure{*error};
  const auto kept = retired / (subject.name + "-" + row->who.serial);
  const std::array<std::pair<fs::path, const std::string*>, 2> both{
      {{key_file(subject.name), &pair->key}, {certificate_file(subject.name), &pair->certificate}}};
  for (const auto& [file, text] : both) {
    // The former stays under another name before its own is given away.
    std::error_code failed;
    fs::create_hard_link(file, kept.string() + file.extension().string(), failed);
    if (failed && failed != std::errc::no_such_file_or_directory)
      return Failure{kept.string() + file.extension().string() + ": " + failed.message()};
    if (auto error = replace_file(file, *text)) return Failure{*error};
  }
  return row;
}

Result<std::vector<IssuedCertificate>, std::string> Authority::revoke(const std::string& name,
                                                                      const std::string& serial,
                                                                      Clock::time_point now) {
  if (auto error = check_name(name)) return Failure{*error};
  const auto all = list();
  if (!all) return Failure{all.error()};
  std::vector<IssuedCertificate> out;
  std::vector<std::string> certificates;
  for (const auto& row : *all) {
    if (row.who.name != name || row.revoked_at || (!serial.empty() && row.who.serial != serial)) continue;
    auto pem = read_public_file(folder_ / "issued" / (row.who.serial + ".pem"));
    if (!pem) return Failure{pem.error()};
    certificates.push_back(std::move(*pem));
    out.push_back(row);
    out.back().revoked_at = Clock::to_time_t(now);
  }
  if (out.empty()) {
    return Failure{"no certificate of \"" + name + "\"" + (serial.empty() ? "" : " with this serial number") +
                   " is there to be revoked; 'pki list' shows all"};
  }
  if (auto error = sign_crl(certificates, now)) return Failure{*error};
  return out;
}

Error Authority::sign_crl(const std::vector<std::string>& revoked, Clock::time_point now) {
  auto crl = make_crl(ca_, crl_, revoked, {now, now + kCrlDays});
  if (!crl) return crl.error();
  if (auto error = replace_file(crl_file(), *crl)) return error;
  crl_ = std::move(*crl);
  return std::nullopt;
}

Result<std::vector<IssuedCertificate>, std::string> Authority::list() const {
  const auto anchors = parse_anchors(ca_.certificate, crl_, {ca_file(), crl_file()});
  if (!anchors) return Failure{anchors.error()};
  std::vector<IssuedCertificate> out;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder_ / "issued", none)) {
    if (entry.path().extension() != ".pem") continue;
    const auto pem = read_public_file(entry.path());
    if (!pem) return Failure{pem.error()};
    const auto certificate = first_certificate(*pem, entry.path());
    if (!certificate) return Failure{certificate.error()};
    auto row = row_of(*certificate, anchors->crls);
    if (!row) return Failure{entry.path().string() + ": " + row.error()};
    const auto current = read_public_file(certificate_file(row->who.name));
    row->current = current && *current == *pem;
    out.push_back(std::move(*row));
  }
  std::ranges::sort(out, {}, [](const auto& row) {
    return std::tuple(row.who.name, row.valid_from, row.current, row.who.serial);
  });
  return out;
}

Result<AuthorityFacts, std::string> Authority::facts() const {
  const auto own = first_certificate(ca_.certificate, ca_file());
  if (!own) return Failure{own.error()};
  const auto anchors = parse_anchors(ca_.certificate, crl_, {ca_file(), crl_file()});
  if (!anchors) return Failure{anchors.error()};
  const auto& crl = anchors->crls.front();
  AuthorityFacts out;
  const auto names = own->subject_info("X520.CommonName");
  out.name = names.empty() ? std::string() : names.front();
  out.fingerprint = own->fingerprint("SHA-256");
  out.valid_from = unix_seconds(own->not_before());
  out.expires_at = unix_seconds(own->not_after());
  out.crl_number = crl.crl_number();
  out.crl_made_at = unix_seconds(crl.this_update());
  out.crl_next_update = unix_seconds(crl.next_update());
  out.revoked = crl.get_revoked().size();
  return out;
}

}  // namespace sluice::pki
