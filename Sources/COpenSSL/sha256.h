// The low-level SHA-256 functions. OpenSSL 3 marks them deprecated in favour of EVP, whose set-up costs the runner a
// millisecond or two at each start. They stay part of libcrypto's stable interface for all of 3.x.
#pragma once
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
