/* What the upstream and the load generator of the benchmarks share: growing buffers, HTTP/2 frame headers,
 * and a connection's bytes in and out. Both are made for one purpose, to cost little and to be the same for
 * every proxy that is measured; neither is an HTTP/2 implementation for anything else.
 */
#ifndef SEAWALL_BENCH_WIRE_H
#define SEAWALL_BENCH_WIRE_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PING = 6, GOAWAY = 7, WINDOW_UPDATE = 8 };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8 };
enum { FRAME_HEADER = 9, MAX_PAYLOAD = 16384, READ_BYTES = 256 * 1024 };

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

struct buffer {
    uint8_t *bytes;
    size_t start, end, room;
};

static inline void die(const char *what) {
    perror(what);
    exit(1);
}

static inline uint8_t *reserve(struct buffer *buffer, size_t more) {
    if (buffer->start == buffer->end) buffer->start = buffer->end = 0;
    if (buffer->end + more > buffer->room) {
        size_t used = buffer->end - buffer->start;
        if (buffer->start > 0) memmove(buffer->bytes, buffer->bytes + buffer->start, used);
        buffer->start = 0;
        buffer->end = used;
        if (used + more > buffer->room) {
            buffer->room = (used + more) * 2;
            buffer->bytes = realloc(buffer->bytes, buffer->room);
            if (!buffer->bytes) die("realloc");
        }
    }
    return buffer->bytes + buffer->end;
}

static inline void append(struct buffer *buffer, const void *bytes, size_t count) {
    memcpy(reserve(buffer, count), bytes, count);
    buffer->end += count;
}

static inline void put_u32(uint8_t *at, uint32_t value) {
    at[0] = value >> 24, at[1] = value >> 16, at[2] = value >> 8, at[3] = value;
}

static inline uint32_t get_u32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void put_frame(struct buffer *out, size_t length, int type, int flags, uint32_t stream) {
    uint8_t *at = reserve(out, FRAME_HEADER + length);
    at[0] = length >> 16, at[1] = length >> 8, at[2] = length, at[3] = type, at[4] = flags;
    put_u32(at + 5, stream);
    out->end += FRAME_HEADER;
}

static inline void put_window(struct buffer *out, uint32_t stream, uint32_t more) {
    uint8_t octets[4];
    put_u32(octets, more);
    put_frame(out, 4, WINDOW_UPDATE, 0, stream);
    append(out, octets, 4);
}

static inline void put_setting(uint8_t *at, int id, uint32_t value) {
    at[0] = 0, at[1] = id;
    put_u32(at + 2, value);
}

static inline double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec * 1e-9;
}

static inline void set_up_socket(int fd) {
    int one = 1;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static inline void many_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Write what is there; 0 when all is written, 1 when the rest waits, -1 when the peer is gone. */
static inline int flush(int fd, struct buffer *out) {
    while (out->end > out->start) {
        ssize_t sent = send(fd, out->bytes + out->start, out->end - out->start, MSG_NOSIGNAL);
        if (sent < 0) return errno == EAGAIN ? 1 : -1;
        out->start += sent;
    }
    return 0;
}

/* gRPC message number `offset / (size + 5)` as octets: a prefix of five, then x's. */
static inline void put_body(uint8_t *to, size_t count, uint64_t offset, uint64_t size) {
    memset(to, 'x', count);
    for (size_t at = 0; at < count; at++) {
        uint64_t within = (offset + at) % (size + 5);
        if (within >= 5) {
            uint64_t skip = size + 5 - within;
            if (skip >= count - at) return;
            at += skip - 1;
            continue;
        }
        to[at] = within == 0 ? 0 : (size >> (8 * (4 - within))) & 0xff;
    }
}

#endif
