// SHA-256 of up to three pieces in one call that cannot fail, for the audit log's millions of short texts. It uses the
// low-level functions, because setting up an EVP context costs 1.5 times as much as hashing an entry. OpenSSL 3 marks them
// deprecated. ssl.h declares them too, so the mark can only be ignored here, in C.
#pragma once
#include <openssl/sha.h>
#include <stddef.h>

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wdeprecated-declarations"
static inline void sync_sha256(
    const void *first, size_t first_size, const void *second, size_t second_size, const void *third, size_t third_size,
    unsigned char *digest)
{
    SHA256_CTX context;
    SHA256_Init(&context);
    SHA256_Update(&context, first, first_size);
    SHA256_Update(&context, second, second_size);
    SHA256_Update(&context, third, third_size);
    SHA256_Final(digest, &context);
}
#pragma clang diagnostic pop
