/* An open-loop gRPC client with deadlines: the caller of the efficacy benchmark.
 *
 * caller [-c CONNECTIONS] [-d DEADLINE_MS] [-s SEED] [-p PATH] -r RATE:SECONDS[,RATE:SECONDS...] PORT...
 *
 * So many calls begin in each second, at times within it that are drawn beforehand (the same for the same seed),
 * whatever happens to those before them; a latency counts from the time the call was due. A call that has no answer
 * when its deadline has passed is taken back. With several ports it balances as a gRPC client does with
 * round_robin: over what is connected, without retries, but for calls that a server says it has not looked
 * at. A lost connection is made again after a second, as gRPC's backoff begins.
 *
 * Prints `ready` when all connections are there, waits for a line, prints `begin MONOTONIC_SECONDS`, and at the
 * end a line for each call in the order in which they were due: DUE LATENCY STATUS, in seconds from the begin.
 * The last line, `late SECONDS`, says how late a call was begun at worst: more than some milliseconds means that
 * this program did not get its share of the processors, and that nobody else did either.
 * Of response headers only grpc-status is read: no dynamic table is offered to the peer.
 */
#include "wire.h"

#include <getopt.h>
#include <math.h>
#include <sys/timerfd.h>

enum { SLOTS = 8192, MOST_CONNECTIONS = 1024, MESSAGE_BYTES = 100, PRIORITY_FLAG = 0x20 };
enum { DOWN, CONNECTING, GREETING, READY };
enum { PENDING = -1, OPEN = -2 };
enum { DEADLINE_EXCEEDED = 4, UNKNOWN = 2, INTERNAL = 13, UNAVAILABLE = 14 };

struct call {
    double due, ended;
    int status;
    uint32_t id;
    struct connection *connection;
};

struct stream {
    uint32_t id;
    int call, octets;
};

struct connection {
    int fd, port, state, waits_for_room, draining, open, place;
    uint32_t next_id, max_streams;
    int64_t unacknowledged;
    double retry_at;
    struct buffer in, out;
    struct stream streams[SLOTS];
};

static const double RECONNECT_S = 1.0;
static struct connection *places[MOST_CONNECTIONS];
static struct call *calls;
static int connections, call_count, due_calls, first_waiting, first_open, ended_calls, running;
static int poll_fd, timer_fd;
static double deadline_s = 1.0, latest_s;
static const char *path = "/bench.v1.S0/Unary";

static void say(struct connection *connection);

static uint8_t *put_text(uint8_t *at, const char *text) {
    size_t length = strlen(text);
    *at++ = length; /* all of ours are shorter than 127 */
    memcpy(at, text, length);
    return at + length;
}

static uint8_t *put_field(uint8_t *at, int name_index, const char *name, const char *value) {
    if (name_index >= 15) *at++ = 15, *at++ = name_index - 15;
    else *at++ = name_index;
    if (name_index == 0) at = put_text(at, name);
    return put_text(at, value);
}

static void end_call(int number, int status, double now) {
    struct call *call = &calls[number];
    call->status = status;
    call->ended = now;
    call->connection = NULL;
    ended_calls++;
}

static struct stream *stream_of(struct connection *connection, uint32_t id) {
    struct stream *stream = &connection->streams[(id >> 1) % SLOTS];
    return id && stream->id == id ? stream : NULL;
}

static void forget(struct connection *connection, struct stream *stream) {
    stream->id = 0;
    connection->open--;
}

static int usable(const struct connection *connection) {
    return connection->state == READY && !connection->draining;
}

static void send_call(struct connection *connection, int number) {
    static uint8_t message[5 + MESSAGE_BYTES] = {0, 0, 0, 0, MESSAGE_BYTES};
    uint8_t block[256], *at = block;
    char timeout[16];
    uint32_t id = connection->next_id;
    connection->next_id += 2;
    connection->open++;
    connection->streams[(id >> 1) % SLOTS] = (struct stream){.id = id, .call = number};
    calls[number].status = OPEN;
    calls[number].id = id;
    calls[number].connection = connection;
    *at++ = 0x83, *at++ = 0x86; /* POST, http */
    at = put_field(at, 4, ":path", path);
    at = put_field(at, 1, ":authority", "bench.local");
    at = put_field(at, 0, "te", "trailers");
    at = put_field(at, 31, "content-type", "application/grpc");
    snprintf(timeout, sizeof timeout, "%.0fm", deadline_s * 1000);
    at = put_field(at, 0, "grpc-timeout", timeout);
    put_frame(&connection->out, at - block, HEADERS, END_HEADERS, id);
    append(&connection->out, block, at - block);
    put_frame(&connection->out, sizeof message, DATA, END_STREAM, id);
    append(&connection->out, message, sizeof message);
}

/* Send a call on the next connection that is there. Return 0 when all that are there are full. */
static int place_call(int number, double now) {
    static unsigned turn;
    int there = 0;
    for (int tries = 0; tries < connections; tries++) {
        struct connection *connection = places[turn++ % connections];
        if (!usable(connection)) continue;
        there = 1;
        if (connection->open >= (int)connection->max_streams) continue;
        if (connection->streams[(connection->next_id >> 1) % SLOTS].id) continue;
        send_call(connection, number);
        say(connection);
        return 1;
    }
    if (there) return 0;
    end_call(number, UNAVAILABLE, now);
    return 1;
}

static void dial(struct connection *connection) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(connection->port)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = connection};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    set_up_socket(connection->fd);
    connection->state = CONNECTING;
    connection->retry_at = INFINITY;
    connection->next_id = 1;
    connection->max_streams = 100;
    connection->draining = connection->open = connection->waits_for_room = 0;
    connection->unacknowledged = 0;
    connection->in.start = connection->in.end = connection->out.start = connection->out.end = 0;
    memset(connection->streams, 0, sizeof connection->streams);
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, connection->fd, &event);
    if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) {
        close(connection->fd);
        connection->state = DOWN;
        connection->retry_at = seconds() + RECONNECT_S;
    }
}

static struct connection *new_connection(int place, int port) {
    struct connection *connection = calloc(1, sizeof *connection);
    connection->place = place;
    connection->port = port;
    places[place] = connection;
    dial(connection);
    return connection;
}

static void lost(struct connection *connection) {
    double now = seconds();
    close(connection->fd);
    connection->state = DOWN;
    for (int at = 0; at < SLOTS && connection->open > 0; at++)
        if (connection->streams[at].id) {
            int number = connection->streams[at].call;
            forget(connection, &connection->streams[at]);
            end_call(number, UNAVAILABLE, now);
        }
    if (places[connection->place] == connection) connection->retry_at = now + RECONNECT_S;
    /* One that has been replaced stays allocated: the batch of events may still name it. */
}

static void opened(struct connection *connection) {
    int error = 0;
    socklen_t size = sizeof error;
    uint8_t entries[18];
    getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        lost(connection);
        return;
    }
    connection->state = GREETING;
    connection->waits_for_room = 1;
    append(&connection->out, PREFACE, sizeof PREFACE - 1);
    put_setting(entries, 1, 0);
    put_setting(entries + 6, 2, 0);
    put_setting(entries + 12, 4, 1 << 20);
    put_frame(&connection->out, sizeof entries, SETTINGS, 0, 0);
    append(&connection->out, entries, sizeof entries);
    put_window(&connection->out, 0, 1 << 26);
}

static void say(struct connection *connection) {
    if (connection->state < GREETING) return;
    int rest = flush(connection->fd, &connection->out);
    if (rest < 0) {
        lost(connection);
    } else if (rest != connection->waits_for_room) {
        struct epoll_event event = {.events = EPOLLIN | (rest ? EPOLLOUT : 0), .data.ptr = connection};
        epoll_ctl(poll_fd, EPOLL_CTL_MOD, connection->fd, &event);
        connection->waits_for_room = rest;
    }
}

/* An HPACK integer; NULL at the end of the block. */
static const uint8_t *get_number(const uint8_t *at, const uint8_t *end, int bits, uint32_t *value) {
    uint32_t most = (1u << bits) - 1, shift = 0;
    if (at >= end) return NULL;
    *value = *at++ & most;
    if (*value < most) return at;
    while (at < end && shift < 28) {
        *value += (uint32_t)(*at & 0x7f) << shift;
        shift += 7;
        if (!(*at++ & 0x80)) return at;
    }
    return NULL;
}

/* Decimal digits, plain or in HPACK's Huffman code: 0 to 2 have five bits, 3 to 9 have six. */
static int get_digits(const uint8_t *at, uint32_t length, int huffman) {
    int value = 0;
    if (!huffman) {
        for (uint32_t number = 0; number < length; number++) {
            if (at[number] < '0' || at[number] > '9') return UNKNOWN;
            value = value * 10 + at[number] - '0';
        }
        return value;
    }
    uint32_t bits = 0, count = 0;
    for (uint32_t number = 0; number < length && number < 3; number++) bits = bits << 8 | at[number], count += 8;
    while (count >= 5) {
        uint32_t five = bits >> (count - 5) & 31, six = count >= 6 ? bits >> (count - 6) & 63 : 63;
        if (five <= 2) value = value * 10 + five, count -= 5;
        else if (six >= 25 && six <= 31) value = value * 10 + six - 25 + 3, count -= 6;
        else break;
    }
    return value;
}

/* Return the grpc-status of a header block, -1 without one. */
static int find_status(const uint8_t *at, const uint8_t *end) {
    static const uint8_t coded[] = {0x9a, 0xca, 0xc8, 0xb2, 0x12, 0x34, 0xda, 0x8f};
    uint32_t index, length;
    while (at && at < end) {
        int first = *at, is_status = 0;
        if (first & 0x80) {
            at = get_number(at, end, 7, &index);
            continue;
        }
        if ((first & 0xe0) == 0x20) {
            at = get_number(at, end, 5, &index);
            continue;
        }
        at = get_number(at, end, first & 0x40 ? 6 : 4, &index);
        for (int part = index ? 1 : 0; part < 2 && at; part++) {
            int huffman = at < end && *at & 0x80;
            at = get_number(at, end, 7, &length);
            if (!at || length > (size_t)(end - at)) return -1;
            if (part == 1 && is_status) return get_digits(at, length, huffman);
            is_status = huffman ? length == sizeof coded && memcmp(at, coded, length) == 0
                                : length == 11 && memcmp(at, "grpc-status", 11) == 0;
            at += length;
        }
    }
    return -1;
}

static void settings(struct connection *connection, const uint8_t *payload, size_t length) {
    for (size_t at = 0; at + 6 <= length; at += 6) {
        uint32_t value = get_u32(payload + at + 2);
        if (payload[at + 1] == 3) connection->max_streams = value > SLOTS / 2 ? SLOTS / 2 : value;
    }
    put_frame(&connection->out, 0, SETTINGS, ACK, 0);
    if (connection->state == GREETING) connection->state = READY;
}

static void goaway(struct connection *connection, uint32_t last_id) {
    double now = seconds();
    if (!connection->draining) {
        connection->draining = 1;
        new_connection(connection->place, connection->port);
    }
    for (int at = 0; at < SLOTS; at++) {
        struct stream *stream = &connection->streams[at];
        if (stream->id <= last_id || !stream->id) continue;
        int number = stream->call;
        forget(connection, stream);
        if (!place_call(number, now)) end_call(number, UNAVAILABLE, now);
    }
}

static void frame(struct connection *connection, int type, int flags, uint32_t id, const uint8_t *payload,
                  size_t length) {
    struct stream *stream = stream_of(connection, id);
    int status = -1, number;
    switch (type) {
    case DATA:
        connection->unacknowledged += length;
        if (connection->unacknowledged > 1 << 24) {
            put_window(&connection->out, 0, connection->unacknowledged);
            connection->unacknowledged = 0;
        }
        if (!stream) break;
        stream->octets += length;
        if (!(flags & END_STREAM)) break;
        number = stream->call;
        forget(connection, stream);
        end_call(number, UNKNOWN, seconds());
        break;
    case HEADERS:
        if (!stream || !(flags & END_STREAM)) break;
        if (flags & PADDED) length -= *payload + 1u, payload++;
        if (flags & PRIORITY_FLAG) length -= 5, payload += 5;
        status = find_status(payload, payload + length);
        number = stream->call;
        if (status < 0 || (status == 0 && stream->octets == 0)) status = UNKNOWN;
        forget(connection, stream);
        end_call(number, status, seconds());
        break;
    case RST_STREAM:
        if (!stream) break;
        number = stream->call;
        forget(connection, stream);
        end_call(number, get_u32(payload) == 7 ? UNAVAILABLE : INTERNAL, seconds());
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
        goaway(connection, get_u32(payload) & 0x7fffffff);
        break;
    default:
        break;
    }
}

/* Return 0 when the connection is finished. */
static int readable(struct connection *connection) {
    struct buffer *in = &connection->in;
    ssize_t count = recv(connection->fd, reserve(in, 1 << 16), 1 << 16, 0);
    if (count <= 0) return count < 0 && errno == EAGAIN;
    in->end += count;
    while (in->end - in->start >= FRAME_HEADER) {
        uint8_t *at = in->bytes + in->start;
        size_t length = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
        if (in->end - in->start < FRAME_HEADER + length) break;
        frame(connection, at[3], at[4], get_u32(at + 5) & 0x7fffffff, at + FRAME_HEADER, length);
        in->start += FRAME_HEADER + length;
    }
    return 1;
}

static void begin_due_calls(double now) {
    for (; due_calls < call_count && calls[due_calls].due <= now; due_calls++)
        if (now - calls[due_calls].due > latest_s) latest_s = now - calls[due_calls].due;
    while (first_waiting < due_calls) {
        if (calls[first_waiting].status == PENDING && !place_call(first_waiting, now)) return;
        first_waiting++;
    }
}

static void end_late_calls(double now) {
    uint8_t cancel[4] = {0, 0, 0, 8};
    for (; first_open < due_calls && calls[first_open].due + deadline_s <= now; first_open++) {
        struct call *call = &calls[first_open];
        struct connection *connection = call->connection;
        if (call->status != PENDING && call->status != OPEN) continue;
        if (connection) {
            struct stream *stream = stream_of(connection, call->id);
            if (stream) forget(connection, stream);
            put_frame(&connection->out, 4, RST_STREAM, 0, call->id);
            append(&connection->out, cancel, 4);
        }
        end_call(first_open, DEADLINE_EXCEEDED, now);
        if (connection) say(connection);
    }
}

static void arm(void) {
    struct itimerspec when = {0};
    double next = INFINITY;
    if (running && due_calls < call_count) next = calls[due_calls].due;
    if (running && first_open < due_calls && calls[first_open].due + deadline_s < next)
        next = calls[first_open].due + deadline_s;
    for (int at = 0; at < connections; at++)
        if (places[at]->state == DOWN && places[at]->retry_at < next) next = places[at]->retry_at;
    if (next == INFINITY) return;
    when.it_value.tv_sec = (time_t)next;
    when.it_value.tv_nsec = (long)((next - floor(next)) * 1e9) + 1;
    timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void turn(void) {
    struct epoll_event events[256];
    arm();
    int ready = epoll_wait(poll_fd, events, 256, 500);
    for (int at = 0; at < ready; at++) {
        struct connection *connection = events[at].data.ptr;
        uint64_t ticks;
        if (!connection) {
            if (read(timer_fd, &ticks, sizeof ticks) < 0 && errno != EAGAIN) die("timer");
            continue;
        }
        if (connection->state == DOWN) continue;
        if (connection->state == CONNECTING) {
            if (events[at].events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) opened(connection);
        } else if (events[at].events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !readable(connection)) {
            lost(connection);
            continue;
        }
        say(connection);
    }
    double now = seconds();
    for (int at = 0; at < connections; at++)
        if (places[at]->state == DOWN && places[at]->retry_at <= now) dial(places[at]);
    if (running) {
        end_late_calls(now);
        begin_due_calls(now);
    }
}

static int by_due(const void *a, const void *b) {
    double left = ((const struct call *)a)->due, right = ((const struct call *)b)->due;
    return left < right ? -1 : left > right;
}

static void draw_due_times(const char *plan, long seed) {
    double from = 0, rate, length;
    int used, room = 0;
    srand48(seed);
    while (sscanf(plan, "%lf:%lf%n", &rate, &length, &used) == 2) {
        plan += used + (plan[used] == ',');
        for (double at = 0; at < length; at++) {
            double span = length - at < 1 ? length - at : 1;
            for (int number = (int)(rate * span + 0.5); number > 0; number--) {
                if (call_count == room) calls = realloc(calls, sizeof *calls * (room = room * 2 + 1024));
                calls[call_count++] = (struct call){.due = from + at + drand48() * span, .status = PENDING};
            }
        }
        from += length;
    }
    qsort(calls, call_count, sizeof *calls, by_due);
}

int main(int count, char **arguments) {
    const char *plan = "200:5";
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    long seed = 7;
    int option, each = 4;
    char line[16];
    while ((option = getopt(count, arguments, "c:d:s:p:r:")) != -1) switch (option) {
        case 'c': each = atoi(optarg); break;
        case 'd': deadline_s = atof(optarg) / 1000; break;
        case 's': seed = atol(optarg); break;
        case 'p': path = optarg; break;
        case 'r': plan = optarg; break;
        default: return 2;
    }
    int ports = count - optind;
    connections = ports * each;
    if (ports < 1 || connections < 1 || connections > MOST_CONNECTIONS) return 2;
    many_descriptors();
    draw_due_times(plan, seed);
    poll_fd = epoll_create1(0);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, timer_fd, &event);
    for (int at = 0; at < connections; at++) new_connection(at, atoi(arguments[optind + at % ports]));
    double limit = seconds() + 10;
    for (int up = 0; up < connections;) {
        turn();
        for (up = 0; up < connections && places[up]->state == READY; up++) continue;
        if (up < connections && seconds() > limit) {
            fprintf(stderr, "only %d of %d connections could be made\n", up, connections);
            return 3;
        }
    }
    printf("ready\n");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) return 0;
    double from = seconds() + 0.02;
    for (int at = 0; at < call_count; at++) calls[at].due += from;
    printf("begin %.6f\n", from);
    fflush(stdout);
    running = 1;
    while (ended_calls < call_count) turn();
    for (int at = 0; at < call_count; at++)
        printf("%.6f %.6f %d\n", calls[at].due - from, calls[at].ended - calls[at].due, calls[at].status);
    printf("late %.6f\n", latest_s);
    return 0;
}
