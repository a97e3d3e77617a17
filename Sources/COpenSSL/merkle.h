// SHA-256 of up to three pieces in one call that cannot fail, for the audit trail's millions of short texts. By the
// low-level functions: setting up an EVP context costs half as much again as hashing an entry does. OpenSSL 3 marks
// them deprecated, and because ssl.h declares them as well, the mark can only be passed over here, in C.
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
