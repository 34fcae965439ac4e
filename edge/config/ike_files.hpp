#pragma once
// Certificates, keys and CRLs from files, checked so that a mistake is named before charon meets it. Errors
// are sentences that begin with the file's name. Any thread.

#include <filesystem>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

namespace sluice::edge {

using FilePath = std::filesystem::path;

/// read_secret_file(), and refuses one that the group may read, too.
Result<Secret, std::string> read_private_file(const FilePath& file);

/// All certificates of a PEM file, or the one of a DER file, as DER; at least one.
Result<std::vector<ByteVector>, std::string> read_certificates(const FilePath& file);
/// The same, and each must be a CA's.
Result<std::vector<ByteVector>, std::string> read_cas(const FilePath& file);
Result<ByteVector, std::string> read_crl(const FilePath& file);
/// An unencrypted PKCS #8 key, as DER, that belongs to `certificate`.
Result<Secret, std::string> read_private_key(const FilePath& file, Bytes certificate);

/// Sentences, or empty: that a certificate is no longer, or not yet, valid; that it ends within 30 days; that
/// a CRL should have been replaced.
std::string validity_fault(const FilePath& file, Bytes certificate);
std::string expiry_warning(const FilePath& file, Bytes certificate);
std::string crl_age_warning(const FilePath& file, Bytes crl);

}  // namespace sluice::edge
