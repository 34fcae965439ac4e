#include "edge/config/ike_files.hpp"

#include <botan/data_src.h>
#include <botan/pem.h>
#include <botan/pkcs8.h>
#include <botan/x509_crl.h>
#include <botan/x509cert.h>
#include <sys/stat.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <memory>

#include "base/app/config_table.hpp"

namespace sluice::edge {
namespace {

/// vici carries a value's length in 16 bits.
constexpr std::size_t kLargest = 65535;
constexpr auto kExpirySoon = std::chrono::hours(30 * 24);

Failure<std::string> fault(const FilePath& file, const std::string& text) {
  return Failure{file.string() + " " + text};
}

std::optional<std::string> group_fault(const FilePath& file) {
  if (auto wrong = app::check_secret_file(file)) return wrong;
  struct stat status {};
  if (::stat(file.c_str(), &status) == 0 && (status.st_mode & S_IRWXG) != 0)
    return file.string() + " can be read by its group; it holds a secret: chmod 0600 " + file.string();
  return std::nullopt;
}

Result<std::string, std::string> read_file(const FilePath& file) {
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored)) return fault(file, "is a folder, not a file");
  std::ifstream in(file, std::ios::binary);
  if (!in) return fault(file, std::string("cannot be read: ") + std::strerror(errno));
  return std::string(std::istreambuf_iterator<char>(in), {});
}

Botan::DataSource_Memory source(Bytes bytes) {
  return Botan::DataSource_Memory(bytes.data(), bytes.size());
}

Botan::X509_Certificate certificate_of(Bytes bytes) {
  auto data = source(bytes);
  return Botan::X509_Certificate(data);
}

/// The DER of each PEM block with this label. Anything after the last block is no concern of ours.
std::vector<ByteVector> pem_blocks(const std::string& text, std::string_view wanted) {
  std::vector<ByteVector> out;
  auto data = source(as_bytes(text));
  try {
    while (!data.end_of_data()) {
      std::string label;
      const auto block = Botan::PEM_Code::decode(data, label);
      if (label == wanted) out.emplace_back(block.begin(), block.end());
    }
  } catch (const Botan::Exception&) {
  }
  return out;
}

}  // namespace

Result<Secret, std::string> read_private_file(const FilePath& file) {
  if (auto wrong = group_fault(file)) return Failure{std::move(*wrong)};
  return app::read_secret_file(file);
}

Result<std::vector<ByteVector>, std::string> read_certificates(const FilePath& file) {
  const auto text = read_file(file);
  if (!text) return Failure{text.error()};
  auto blocks = pem_blocks(*text, "CERTIFICATE");
  if (blocks.empty()) blocks.emplace_back(text->begin(), text->end());
  for (const auto& block : blocks) {
    if (block.size() > kLargest) return fault(file, "is too large for a certificate");
    try {
      certificate_of(block);
    } catch (const std::exception& error) {
      return fault(file, std::string("is not a certificate in PEM or DER: ") + error.what());
    }
  }
  return blocks;
}

Result<std::vector<ByteVector>, std::string> read_cas(const FilePath& file) {
  auto all = read_certificates(file);
  if (!all) return all;
  for (const auto& certificate : *all) {
    if (!certificate_of(certificate).is_CA_cert())
      return fault(file, "holds a certificate that is no CA's: name the CA that issued it");
  }
  return all;
}

Result<ByteVector, std::string> read_crl(const FilePath& file) {
  const auto text = read_file(file);
  if (!text) return Failure{text.error()};
  try {
    auto data = source(as_bytes(*text));
    const Botan::X509_CRL crl(data);
    // RFC 5280 §5.2.1: it must be there, and charon looks by it only.
    if (crl.authority_key_id().empty())
      return fault(file,
                   "has no authority key identifier, so that it would not be found; let the CA add one");
    const auto der = crl.BER_encode();
    if (der.size() > kLargest) return fault(file, "is larger than 64 KiB, which charon does not take");
    return ByteVector(der.begin(), der.end());
  } catch (const std::exception& error) {
    return fault(file, std::string("is not a CRL in PEM or DER: ") + error.what());
  }
}

Result<Secret, std::string> read_private_key(const FilePath& file, Bytes certificate) {
  if (auto wrong = group_fault(file)) return Failure{std::move(*wrong)};
  auto text = read_file(file);
  if (!text) return Failure{text.error()};
  const Secret wiped{std::string_view(*text)};
  wipe({reinterpret_cast<std::uint8_t*>(text->data()), text->size()});
  try {
    auto data = source(wiped.bytes());
    const std::unique_ptr<Botan::Private_Key> key(Botan::PKCS8::load_key(data));
    if (key->subject_public_key() != certificate_of(certificate).subject_public_key_info())
      return fault(file, "does not belong to the certificate");
    const auto der = Botan::PKCS8::BER_encode(*key);
    return Secret(Bytes(der.data(), der.size()));
  } catch (const std::exception& error) {
    return fault(file, std::string("is not an unencrypted PKCS #8 key (") + error.what() +
                           "); convert it: openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW");
  }
}

std::string validity_fault(const FilePath& file, Bytes certificate) {
  const auto read = certificate_of(certificate);
  const Botan::X509_Time now(std::chrono::system_clock::now());
  if (now > read.not_after())
    return file.string() + ": the certificate has expired; clients would refuse it. Get a new one";
  if (now < read.not_before())
    return file.string() + ": the certificate is not valid yet; is this machine's clock right?";
  return {};
}

std::string expiry_warning(const FilePath& file, Bytes certificate) {
  const auto read = certificate_of(certificate);
  const Botan::X509_Time soon(std::chrono::system_clock::now() + kExpirySoon);
  if (soon <= read.not_after()) return {};
  return file.string() + ": the certificate ends on " + read.not_after().readable_string() +
         ", within 30 days; clients will refuse it then";
}

std::string crl_age_warning(const FilePath& file, Bytes crl) {
  auto data = source(crl);
  const Botan::X509_CRL read(data);
  const bool old = read.next_update().time_is_set() &&
                   Botan::X509_Time(std::chrono::system_clock::now()) > read.next_update();
  return old ? file.string() + ": the CRL is past its next update; fetch a new one and send SIGHUP" : "";
}

}  // namespace sluice::edge
