/* What the machine can do: receive one file by HTTP/1.1, with or without TLS, hash it in a second thread and write it
 * past the page cache in a third, through a ring of aligned buffers. No resume, no retries, no checks but the hash.
 *
 *     cc -O2 -o c_limit c_limit.c -lssl -lcrypto -lpthread
 *     ./c_limit HOST PORT /path OUT SHA256 [CA.pem]
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK ((size_t)1 << 20)
#define BLOCKS 16
#define ALIGNMENT ((size_t)4096)

static struct {
    char *memory;
    size_t size;
} ring[BLOCKS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static size_t filled, hashed, written; /* blocks so far */
static int whole;
static int out, out_direct;
static char digest[65];

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void advance(size_t *counter) {
    pthread_mutex_lock(&lock);
    ++*counter;
    pthread_cond_broadcast(&moved);
    pthread_mutex_unlock(&lock);
}

/* Waits until block `number` is filled; 0 when there is none any more. */
static int wait_filled(size_t number) {
    pthread_mutex_lock(&lock);
    while (filled <= number && !whole) pthread_cond_wait(&moved, &lock);
    int there = filled > number;
    pthread_mutex_unlock(&lock);
    return there;
}

static void *hash_all(void *unused) {
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned int size;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    for (size_t n = 0; wait_filled(n); n++) {
        EVP_DigestUpdate(context, ring[n % BLOCKS].memory, ring[n % BLOCKS].size);
        advance(&hashed);
    }
    EVP_DigestFinal_ex(context, raw, &size);
    for (unsigned int i = 0; i < size; i++) sprintf(digest + 2 * i, "%02x", raw[i]);
    EVP_MD_CTX_free(context);
    return unused;
}

static void *write_all(void *unused) {
    for (size_t n = 0; wait_filled(n); n++) {
        char *memory = ring[n % BLOCKS].memory;
        size_t size = ring[n % BLOCKS].size, done = 0;
        int fd = size % ALIGNMENT ? out : out_direct;
        while (done < size) {
            ssize_t put = pwrite(fd, memory + done, size - done, (off_t)(n * BLOCK + done));
            if (put <= 0) fail("write");
            done += (size_t)put;
        }
        advance(&written);
    }
    return unused;
}

static int dial(const char *host, const char *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) fail("address");
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static SSL *secure(int fd, const char *host, const char *ca) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!SSL_CTX_load_verify_locations(context, ca, NULL)) fail("certificates");
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL *tls = SSL_new(context);
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host);
    SSL_set_fd(tls, fd);
    if (SSL_connect(tls) != 1) fail("TLS");
    return tls;
}

int main(int count, char **args) {
    if (count < 6) return 2;
    const char *host = args[1], *port = args[2], *path = args[3], *name = args[4], *expected = args[5];
    char head[16384];
    int fd = dial(host, port);
    SSL *tls = count > 6 ? secure(fd, host, args[6]) : NULL;
    int asked = snprintf(head, sizeof head, "GET %s HTTP/1.1\r\nHost: %s:%s\r\nConnection: close\r\n\r\n", path, host, port);
    if ((tls ? SSL_write(tls, head, asked) : (int)write(fd, head, (size_t)asked)) != asked) fail("request");

    size_t got = 0;
    char *end = NULL;
    while (!end) {
        ssize_t more = tls ? SSL_read(tls, head + got, (int)(sizeof head - 1 - got)) : read(fd, head + got, sizeof head - 1 - got);
        if (more <= 0) fail("head");
        got += (size_t)more;
        head[got] = 0;
        end = strstr(head, "\r\n\r\n");
    }
    char *stated = strcasestr(head, "content-length:");
    if (!stated || strncmp(head, "HTTP/1.1 200", 12)) fail("answer");
    size_t left = strtoull(stated + 15, NULL, 10), early = got - (size_t)(end + 4 - head);

    out = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    out_direct = open(name, O_WRONLY | O_DIRECT);
    if (out < 0 || out_direct < 0 || fallocate(out, 0, 0, (off_t)left)) fail("open");
    for (int i = 0; i < BLOCKS; i++)
        if (posix_memalign((void **)&ring[i].memory, ALIGNMENT, BLOCK)) fail("memory");
    pthread_t hasher, writer;
    pthread_create(&hasher, NULL, hash_all, NULL);
    pthread_create(&writer, NULL, write_all, NULL);

    for (size_t n = 0; left; n++) {
        pthread_mutex_lock(&lock);
        while (n >= hashed + BLOCKS || n >= written + BLOCKS) pthread_cond_wait(&moved, &lock);
        pthread_mutex_unlock(&lock);
        char *memory = ring[n % BLOCKS].memory;
        size_t wanted = left < BLOCK ? left : BLOCK, size = 0;
        if (early) {
            memcpy(memory, end + 4, early);
            size = early;
            early = 0;
        }
        while (size < wanted) {
            ssize_t more = tls ? SSL_read(tls, memory + size, (int)(wanted - size)) : read(fd, memory + size, wanted - size);
            if (more <= 0) fail("body");
            size += (size_t)more;
        }
        ring[n % BLOCKS].size = size;
        left -= size;
        advance(&filled);
    }
    pthread_mutex_lock(&lock);
    whole = 1;
    pthread_cond_broadcast(&moved);
    pthread_mutex_unlock(&lock);
    pthread_join(hasher, NULL);
    pthread_join(writer, NULL);
    if (fsync(out)) fail("fsync");
    if (strcmp(digest, expected)) {
        fprintf(stderr, "the hash is %s\n", digest);
        return 1;
    }
    return 0;
}
