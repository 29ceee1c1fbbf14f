/* A gRPC server for benchmarks: every call is answered, once its request is complete, with the same messages.
 *
 * backend PORT MESSAGE_BYTES MESSAGES [hold]      prints the port; with `hold` it never answers
 *
 * Header blocks are not decoded: an answer needs the stream's number only. Flow control is kept in both
 * directions, with a window so wide that no proxy waits for credit.
 */
#include "wire.h"

enum { BUCKETS = 128, TABLE_BYTES = 4096 };

struct stream {
    uint32_t id;
    int answering;
    int64_t window;
    uint64_t offset;
    struct stream *next;
};

struct connection {
    int fd, waits_for_room, preface_seen, indexed, may_index;
    int64_t window, initial_window, unacknowledged;
    struct buffer in, out;
    struct stream *streams[BUCKETS];
};

static uint64_t message_bytes, body_bytes;
static int hold;

static struct stream **find(struct connection *connection, uint32_t id) {
    struct stream **at = &connection->streams[(id >> 1) % BUCKETS];
    while (*at && (*at)->id != id) at = &(*at)->next;
    return at;
}

static void forget(struct connection *connection, uint32_t id) {
    struct stream **at = find(connection, id);
    if (*at) {
        struct stream *stream = *at;
        *at = stream->next;
        free(stream);
    }
}

static void put_block(struct connection *connection, uint32_t id, int trailers) {
    /* The first answer enters content-type and grpc-status into the peer's table, later ones refer to them. */
    static const char plain_headers[] = "\x88\x0f\x10\x10" "application/grpc";
    static const char plain_trailers[] = "\x00\x0bgrpc-status\x01" "0";
    static const char first_headers[] = "\x88\x5f\x10" "application/grpc";
    static const char first_trailers[] = "\x40\x0bgrpc-status\x01" "0";
    const char *block;
    size_t length;
    if (!connection->may_index) {
        block = trailers ? plain_trailers : plain_headers;
        length = trailers ? sizeof plain_trailers - 1 : sizeof plain_headers - 1;
    } else if (connection->indexed < 2 && (trailers ? connection->indexed == 1 : connection->indexed == 0)) {
        block = trailers ? first_trailers : first_headers;
        length = trailers ? sizeof first_trailers - 1 : sizeof first_headers - 1;
        connection->indexed++;
    } else if (connection->indexed == 2) {
        block = trailers ? "\xbe" : "\x88\xbf";
        length = trailers ? 1 : 2;
    } else {
        block = trailers ? plain_trailers : "\x88\xbe";
        length = trailers ? sizeof plain_trailers - 1 : 2;
    }
    put_frame(&connection->out, length, HEADERS, END_HEADERS | (trailers ? END_STREAM : 0), id);
    append(&connection->out, block, length);
}

/* Send what the windows allow; the trailers once everything is sent. A message ends its DATA frame. */
static void go_on(struct connection *connection, struct stream *stream) {
    while (stream->offset < body_bytes) {
        uint64_t count = message_bytes + 5 - stream->offset % (message_bytes + 5);
        if (count > MAX_PAYLOAD) count = MAX_PAYLOAD;
        if ((int64_t)count > connection->window) count = connection->window > 0 ? connection->window : 0;
        if ((int64_t)count > stream->window) count = stream->window > 0 ? stream->window : 0;
        if (count == 0 || connection->out.end - connection->out.start > 4 * READ_BYTES) return;
        put_frame(&connection->out, count, DATA, 0, stream->id);
        put_body(reserve(&connection->out, count), count, stream->offset, message_bytes);
        connection->out.end += count;
        connection->window -= count;
        stream->window -= count;
        stream->offset += count;
    }
    put_block(connection, stream->id, 1);
    forget(connection, stream->id);
}

static void all_go_on(struct connection *connection) {
    for (int bucket = 0; bucket < BUCKETS; bucket++) {
        struct stream *stream = connection->streams[bucket], *next;
        for (; stream; stream = next) {
            next = stream->next;
            if (stream->answering) go_on(connection, stream);
        }
    }
}

static void end_of_request(struct connection *connection, uint32_t id) {
    struct stream *stream = *find(connection, id);
    if (!stream || hold) return;
    stream->answering = 1;
    put_block(connection, id, 0);
    go_on(connection, stream);
}

static void settings(struct connection *connection, const uint8_t *payload, size_t length) {
    for (size_t at = 0; at + 6 <= length; at += 6) {
        uint32_t value = get_u32(payload + at + 2);
        if (payload[at + 1] == 1 && value < TABLE_BYTES) connection->may_index = 0;
        if (payload[at + 1] == 4) {
            int64_t change = (int64_t)value - connection->initial_window;
            connection->initial_window = value;
            for (int bucket = 0; bucket < BUCKETS; bucket++)
                for (struct stream *stream = connection->streams[bucket]; stream; stream = stream->next)
                    stream->window += change;
        }
    }
    put_frame(&connection->out, 0, SETTINGS, ACK, 0);
    all_go_on(connection);
}

static void frame(struct connection *connection, int type, int flags, uint32_t id, const uint8_t *payload,
                  size_t length) {
    struct stream *stream;
    switch (type) {
    case HEADERS:
        stream = calloc(1, sizeof *stream);
        stream->id = id;
        stream->window = connection->initial_window;
        *find(connection, id) = stream;
        if (flags & END_STREAM) end_of_request(connection, id);
        break;
    case DATA:
        connection->unacknowledged += length;
        if (connection->unacknowledged > 1 << 28) {
            put_window(&connection->out, 0, connection->unacknowledged);
            connection->unacknowledged = 0;
        }
        if (flags & END_STREAM) end_of_request(connection, id);
        break;
    case RST_STREAM:
        forget(connection, id);
        break;
    case SETTINGS:
        if (!(flags & ACK)) settings(connection, payload, length);
        break;
    case PING:
        if (!(flags & ACK)) {
            put_frame(&connection->out, 8, PING, ACK, 0);
            append(&connection->out, payload, 8);
        }
        break;
    case WINDOW_UPDATE:
        if (id == 0) {
            connection->window += get_u32(payload);
            all_go_on(connection);
        } else if ((stream = *find(connection, id))) {
            stream->window += get_u32(payload);
            if (stream->answering) go_on(connection, stream);
        }
        break;
    default:
        break;
    }
}

static void greet(struct connection *connection) {
    uint8_t entries[12];
    put_setting(entries, 3, 100000);
    put_setting(entries + 6, 4, 1 << 30);
    put_frame(&connection->out, sizeof entries, SETTINGS, 0, 0);
    append(&connection->out, entries, sizeof entries);
    put_window(&connection->out, 0, 1 << 30);
}

/* Return 0 when the connection is finished. */
static int readable(struct connection *connection) {
    struct buffer *in = &connection->in;
    ssize_t count = recv(connection->fd, reserve(in, READ_BYTES), READ_BYTES, 0);
    if (count <= 0) return count < 0 && errno == EAGAIN;
    in->end += count;
    if (!connection->preface_seen) {
        if (in->end - in->start < sizeof PREFACE - 1) return 1;
        if (memcmp(in->bytes + in->start, PREFACE, sizeof PREFACE - 1) != 0) return 0;
        connection->preface_seen = 1;
        in->start += sizeof PREFACE - 1;
        greet(connection);
    }
    while (in->end - in->start >= FRAME_HEADER) {
        uint8_t *at = in->bytes + in->start;
        size_t length = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
        if (in->end - in->start < FRAME_HEADER + length) break;
        frame(connection, at[3], at[4], get_u32(at + 5) & 0x7fffffff, at + FRAME_HEADER, length);
        in->start += FRAME_HEADER + length;
    }
    return 1;
}

static void discard(struct connection *connection) {
    close(connection->fd);
    for (int bucket = 0; bucket < BUCKETS; bucket++)
        while (connection->streams[bucket]) forget(connection, connection->streams[bucket]->id);
    free(connection->in.bytes);
    free(connection->out.bytes);
    free(connection);
}

static void welcome(int poll, int listener) {
    int fd;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        struct connection *connection = calloc(1, sizeof *connection);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        set_up_socket(fd);
        connection->fd = fd;
        connection->may_index = 1;
        connection->window = connection->initial_window = 65535;
        epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
    }
}

static void serve(int poll, struct connection *connection, uint32_t events) {
    int alive = !(events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || readable(connection);
    int rest = alive ? flush(connection->fd, &connection->out) : -1;
    while (rest == 0) {
        all_go_on(connection);
        if (connection->out.end == connection->out.start) break;
        rest = flush(connection->fd, &connection->out);
    }
    if (rest < 0) {
        discard(connection);
    } else if (rest != connection->waits_for_room) {
        struct epoll_event event = {.events = EPOLLIN | (rest ? EPOLLOUT : 0), .data.ptr = connection};
        epoll_ctl(poll, EPOLL_CTL_MOD, connection->fd, &event);
        connection->waits_for_room = rest;
    }
}

int main(int count, char **arguments) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int one = 1;
    if (count < 4) {
        fprintf(stderr, "usage: %s PORT MESSAGE_BYTES MESSAGES [hold]\n", arguments[0]);
        return 2;
    }
    many_descriptors();
    message_bytes = strtoull(arguments[2], NULL, 10);
    body_bytes = (message_bytes + 5) * strtoull(arguments[3], NULL, 10);
    hold = count > 4;
    address.sin_port = htons(atoi(arguments[1]));
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) die("listen");
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    int poll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[256];
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int ready = epoll_wait(poll, events, 256, -1);
        for (int at = 0; at < ready; at++) {
            if (events[at].data.ptr) serve(poll, events[at].data.ptr, events[at].events);
            else welcome(poll, listener);
        }
    }
}
