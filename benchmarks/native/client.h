/* The client side of one HTTP/2 connection, as the load generator needs it.
 *
 * Requests are encoded as gRPC clients do: fields that repeat are entered into the server's table once and
 * referred to from then on, fields that differ on each call are literals. Responses are not decoded: a call
 * is well when its stream ends with a header block behind exactly the expected number of DATA octets.
 */
#ifndef SEAWALL_BENCH_CLIENT_H
#define SEAWALL_BENCH_CLIENT_H

#include "wire.h"

enum { STREAM_WINDOW = 4 << 20, CONNECTION_WINDOW = 16 << 20, MAX_INDEXED_PATHS = 16, STABLE_FIELDS = 4 };

struct slot {
    uint32_t id;
    int64_t to_send, window, received, unacknowledged;
    double since;
};

struct connection {
    int fd, waits_for_room, ready, may_index, open, slots;
    uint32_t next_id, max_streams, max_payload;
    int inserted, stable_at, path_at[MAX_INDEXED_PATHS];
    int64_t window, initial_window, unacknowledged;
    struct buffer in, out;
    struct slot *slot;
};

static long request_bytes = 100, expected_bytes = 105;
static int varying, paths = 1, path_step = 1, half_open;

static void call_ended(struct connection *connection, double since, int ok);
static void connection_lost(struct connection *connection);

static inline struct slot *slot_of(struct connection *connection, uint32_t id) {
    return &connection->slot[(id >> 1) & (connection->slots - 1)];
}

static int has_room(struct connection *connection) {
    return connection->open < (int)connection->max_streams && slot_of(connection, connection->next_id)->id == 0;
}

static uint8_t *put_text(uint8_t *at, const char *text) {
    size_t length = strlen(text);
    *at++ = length; /* all of ours are shorter than 127 */
    memcpy(at, text, length);
    return at + length;
}

/* A field with its name's index in the static table (0: the name in full). */
static uint8_t *put_literal(uint8_t *at, int pattern, int name_index, const char *name, const char *value) {
    if (name_index >= 15 && pattern == 0) *at++ = 15, *at++ = name_index - 15;
    else *at++ = pattern | name_index;
    if (name_index == 0) at = put_text(at, name);
    return put_text(at, value);
}

static uint8_t *put_stable(struct connection *connection, uint8_t *at) {
    static const struct { int name_index; const char *name, *value; } fields[STABLE_FIELDS] = {
        {1, ":authority", "bench.local"},
        {0, "te", "trailers"},
        {31, "content-type", "application/grpc"},
        {58, "user-agent", "grpc-c-bench/1.0"},
    };
    if (connection->stable_at) {
        for (int number = 0; number < STABLE_FIELDS; number++)
            *at++ = 0x80 | (62 + connection->inserted - connection->stable_at - number);
        return at;
    }
    for (int number = 0; number < STABLE_FIELDS; number++)
        at = put_literal(at, connection->may_index ? 0x40 : 0, fields[number].name_index, fields[number].name,
                         fields[number].value);
    if (connection->may_index) {
        connection->stable_at = connection->inserted + 1;
        connection->inserted += STABLE_FIELDS;
    }
    return at;
}

static uint8_t *put_path(struct connection *connection, uint8_t *at) {
    static long turn;
    int number = turn++ % paths, known = number < MAX_INDEXED_PATHS;
    char path[64];
    if (known && connection->path_at[number]) {
        *at++ = 0x80 | (62 + connection->inserted - connection->path_at[number]);
        return at;
    }
    snprintf(path, sizeof path, "/bench.v1.S%d/Unary", number * path_step);
    known = known && connection->may_index;
    at = put_literal(at, known ? 0x40 : 0, 4, ":path", path);
    if (known) connection->path_at[number] = ++connection->inserted;
    return at;
}

static uint8_t *put_varying(uint8_t *at) {
    static unsigned long number;
    char text[80];
    number++;
    snprintf(text, sizeof text, "00-4bf92f3577b34da6a3ce%012lx-00f067aa%08lx-01", number, number & 0xffffffff);
    at = put_literal(at, 0, 0, "traceparent", text);
    snprintf(text, sizeof text, "7f1c2f6e-0b1d-4b7e-9f7d-%012lx", number);
    at = put_literal(at, 0, 0, "x-request-id", text);
    return put_literal(at, 0x10, 0, "authorization", "Bearer 0123456789abcdef0123456789abcdef");
}

static void send_body(struct connection *connection, struct slot *slot) {
    int64_t total = request_bytes + 5;
    while (slot->to_send > 0) {
        int64_t count = slot->to_send;
        if (count > connection->max_payload) count = connection->max_payload;
        if (count > connection->window) count = connection->window;
        if (count > slot->window) count = slot->window;
        if (count <= 0) return;
        slot->to_send -= count;
        slot->window -= count;
        connection->window -= count;
        put_frame(&connection->out, count, DATA, slot->to_send == 0 ? END_STREAM : 0, slot->id);
        put_body(reserve(&connection->out, count), count, total - slot->to_send - count, request_bytes);
        connection->out.end += count;
    }
}

static void open_call(struct connection *connection, double since) {
    uint8_t block[512], *at = block;
    uint32_t id = connection->next_id;
    struct slot *slot = slot_of(connection, id);
    connection->next_id += 2;
    connection->open++;
    *slot = (struct slot){.id = id, .to_send = request_bytes + 5, .window = connection->initial_window};
    slot->since = since;
    *at++ = 0x83, *at++ = 0x86; /* POST, http */
    at = put_path(connection, at);
    at = put_stable(connection, at);
    at = put_literal(at, 0, 0, "grpc-timeout", half_open ? "99H" : "9S");
    if (varying) at = put_varying(at);
    put_frame(&connection->out, at - block, HEADERS, END_HEADERS, id);
    append(&connection->out, block, at - block);
    if (!half_open) send_body(connection, slot);
}

static void end_call(struct connection *connection, struct slot *slot, int ok) {
    double since = slot->since;
    slot->id = 0;
    connection->open--;
    call_ended(connection, since, ok);
}

static void all_go_on(struct connection *connection) {
    for (int number = 0; number < connection->slots && connection->window > 0; number++)
        if (connection->slot[number].id && connection->slot[number].to_send > 0 && !half_open)
            send_body(connection, &connection->slot[number]);
}

static void settings(struct connection *connection, const uint8_t *payload, size_t length) {
    for (size_t at = 0; at + 6 <= length; at += 6) {
        uint32_t value = get_u32(payload + at + 2);
        if (payload[at + 1] == 1 && value < 4096) connection->may_index = 0;
        if (payload[at + 1] == 3) connection->max_streams = value > 100000 ? 100000 : value;
        if (payload[at + 1] == 4) {
            int64_t change = (int64_t)value - connection->initial_window;
            connection->initial_window = value;
            for (int number = 0; number < connection->slots; number++)
                connection->slot[number].window += change;
        }
        if (payload[at + 1] == 5) connection->max_payload = value > MAX_PAYLOAD ? MAX_PAYLOAD : value;
    }
    put_frame(&connection->out, 0, SETTINGS, ACK, 0);
    connection->ready = 1;
    if (connection->open > 0) all_go_on(connection);
}

static void data(struct connection *connection, struct slot *slot, int flags, size_t length) {
    connection->unacknowledged += length;
    if (connection->unacknowledged >= CONNECTION_WINDOW / 2) {
        put_window(&connection->out, 0, connection->unacknowledged);
        connection->unacknowledged = 0;
    }
    if (!slot) return;
    slot->received += length;
    slot->unacknowledged += length;
    if (flags & END_STREAM) {
        end_call(connection, slot, 0);
    } else if (slot->unacknowledged >= STREAM_WINDOW / 2) {
        put_window(&connection->out, slot->id, slot->unacknowledged);
        slot->unacknowledged = 0;
    }
}

static void frame(struct connection *connection, int type, int flags, uint32_t id, const uint8_t *payload,
                  size_t length) {
    struct slot *slot = id ? slot_of(connection, id) : NULL;
    if (slot && slot->id != id) slot = NULL;
    switch (type) {
    case DATA:
        data(connection, slot, flags, length);
        break;
    case HEADERS:
        if (slot && flags & END_STREAM) end_call(connection, slot, slot->received == expected_bytes);
        break;
    case RST_STREAM:
        if (slot) end_call(connection, slot, 0);
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
    case GOAWAY:
        fprintf(stderr, "GOAWAY: %.*s\n", (int)(length > 8 ? length - 8 : 0), payload + 8);
        break;
    case WINDOW_UPDATE:
        if (id == 0) {
            connection->window += get_u32(payload);
            all_go_on(connection);
        } else if (slot) {
            slot->window += get_u32(payload);
            if (slot->to_send > 0 && !half_open) send_body(connection, slot);
        }
        break;
    default:
        break;
    }
}

/* Return 0 when the connection is finished. */
static int readable(struct connection *connection) {
    struct buffer *in = &connection->in;
    size_t room = in->room > READ_BYTES || connection->open > 0 ? READ_BYTES : 1024;
    ssize_t count = recv(connection->fd, reserve(in, room), room, 0);
    if (count <= 0) return count < 0 && errno == EAGAIN;
    in->end += count;
    while (in->end - in->start >= FRAME_HEADER) {
        uint8_t *at = in->bytes + in->start;
        size_t length = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
        if (in->end - in->start < FRAME_HEADER + length) break;
        in->start += FRAME_HEADER + length;
        frame(connection, at[3], at[4], get_u32(at + 5) & 0x7fffffff, at + FRAME_HEADER, length);
    }
    return 1;
}

static void connect_to(struct connection *connection, const char *host, int port, int slots) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    uint8_t entries[12];
    inet_pton(AF_INET, host, &address.sin_addr);
    connection->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connection->fd, (struct sockaddr *)&address, sizeof address)) die("connect");
    set_up_socket(connection->fd);
    for (connection->slots = 16; connection->slots < slots; connection->slots *= 2) continue;
    connection->slot = calloc(connection->slots, sizeof *connection->slot);
    connection->next_id = 1;
    connection->may_index = 1;
    connection->max_streams = 100;
    connection->max_payload = MAX_PAYLOAD;
    connection->window = connection->initial_window = 65535;
    append(&connection->out, PREFACE, sizeof PREFACE - 1);
    put_setting(entries, 2, 0);
    put_setting(entries + 6, 4, STREAM_WINDOW);
    put_frame(&connection->out, sizeof entries, SETTINGS, 0, 0);
    append(&connection->out, entries, sizeof entries);
    put_window(&connection->out, 0, CONNECTION_WINDOW - 65535);
    flush(connection->fd, &connection->out);
}

#endif
