/* A gRPC service that can be made ill while it runs: the backend of the efficacy benchmark.
 *
 * service PORT BOARD BASE SEED [COMMAND...]        prints the port and serves until SIGTERM or the end of its input
 *
 * Every call is worked on for a time that is drawn from a log-normal distribution, by one of a fixed number of
 * workers; what finds none free waits in one queue, first come first served. A call that its client takes back
 * leaves the queue, but work that has begun is finished. Commands, one a line on standard input (or given as
 * arguments, `-` for a space):
 *
 *   work MEDIAN_MS SIGMA WORKERS    how long the work takes, and how many do it
 *   slow FACTOR                     everything takes FACTOR times as long
 *   fail SHARE CODE [early]         this share of the calls ends with CODE after a millisecond, without a message:
 *                                   response headers and then trailers, or with `early` nothing but the status
 *   hang SHARE                      this share of the calls gets no answer
 *   drain                           GOAWAY in two steps, finish what has begun, end (SIGTERM says the same)
 *
 * BOARD is a file that is mapped and counted in, so that what a killed service has seen is still known: 16
 * counters of eight octets (received, answered, failed, hung, cancelled in the queue, connections), then for each
 * tenth of a second since BASE (CLOCK_MONOTONIC) how many calls came and how many of them were answered well,
 * four octets each. Header blocks are not decoded.
 */
#include "wire.h"

#include <math.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

enum { BUCKETS = 256, SLICES = 4096, COUNTERS = 16, MOST_WORKERS = 4096 };
enum { RECEIVED, ANSWERED, FAILED, HUNG, TAKEN_BACK, CONNECTIONS };
enum { WAITING, WORKING, HANGING };

struct call {
    struct connection *connection; /* NULL: taken back, or its connection is gone */
    struct call *next_in_bucket, *next_in_queue;
    uint32_t id;
    int state, code, early;
    double takes, until;
};

struct connection {
    int fd, waits_for_room, preface_seen, draining, open;
    int64_t unacknowledged;
    uint32_t last_id;
    struct buffer in, out;
    struct call *calls[BUCKETS];
    struct connection *next, *previous;
};

struct board {
    uint64_t counters[COUNTERS];
    struct { uint32_t came, well; } slices[SLICES];
};

static const double DRAIN_WARNING_S = 0.2;
static struct board *board;
static struct connection *all;
static double base, median_s = 0.007, sigma = 0.2, factor = 1, fail_share, hang_share;
static int workers = 64, fail_code = 14, fail_early, draining;
static double drain_until, close_after;
static struct call *first_waiting, **last_waiting = &first_waiting, *at_work[MOST_WORKERS];
static int working;
static int poll_fd, timer_fd, listener;

static int slice(double now) {
    int at = (int)((now - base) * 10);
    return at < 0 ? 0 : at >= SLICES ? SLICES - 1 : at;
}

static double work_time(void) {
    double normal = sqrt(-2 * log(1 - drand48())) * cos(2 * M_PI * drand48());
    return median_s * exp(sigma * normal) * factor;
}

static struct call **find(struct connection *connection, uint32_t id) {
    struct call **at = &connection->calls[(id >> 1) % BUCKETS];
    while (*at && (*at)->id != id) at = &(*at)->next_in_bucket;
    return at;
}

/* Take a call out of its connection; who works on it frees it. */
static void part(struct call *call) {
    struct call **at = find(call->connection, call->id);
    *at = call->next_in_bucket;
    call->connection->open--;
    call->connection = NULL;
}

static void put_status(struct buffer *out, uint32_t id, int code, int early) {
    static const char headers[] = "\x88\x0f\x10\x10" "application/grpc";
    char block[64];
    size_t length = 0;
    if (early) memcpy(block, headers, length = sizeof headers - 1);
    memcpy(block + length, "\x00\x0bgrpc-status", 13);
    length += 13;
    length += code > 9 ? sprintf(block + length, "\x02%d", code) : sprintf(block + length, "\x01%d", code);
    put_frame(out, length, HEADERS, END_HEADERS | END_STREAM, id);
    append(out, block, length);
}

static void put_headers(struct buffer *out, uint32_t id) {
    static const char headers[] = "\x88\x0f\x10\x10" "application/grpc";
    put_frame(out, sizeof headers - 1, HEADERS, END_HEADERS, id);
    append(out, headers, sizeof headers - 1);
}

static void answer(struct call *call) {
    static const uint8_t message[] = {0, 0, 0, 0, 8, 'a', 'n', 's', 'w', 'e', 'r', 'e', 'd'};
    struct connection *connection = call->connection;
    if (!connection) return;
    if (call->code == 0) {
        put_headers(&connection->out, call->id);
        put_frame(&connection->out, sizeof message, DATA, 0, call->id);
        append(&connection->out, message, sizeof message);
        put_status(&connection->out, call->id, 0, 0);
        board->counters[ANSWERED]++;
        board->slices[slice(seconds())].well++;
    } else {
        if (!call->early) put_headers(&connection->out, call->id);
        put_status(&connection->out, call->id, call->code, call->early);
        board->counters[FAILED]++;
    }
    part(call);
}

static void begin_work(double now) {
    while (working < workers && first_waiting) {
        struct call *call = first_waiting;
        first_waiting = call->next_in_queue;
        if (!first_waiting) last_waiting = &first_waiting;
        if (!call->connection) {
            free(call);
            continue;
        }
        call->state = WORKING;
        call->until = now + call->takes;
        at_work[working++] = call;
    }
}

/* Answer what is done, begin what waits, and set the alarm for the next. */
static void go_on(double now) {
    double next = INFINITY;
    for (int at = 0; at < working;) {
        struct call *call = at_work[at];
        if (call->until > now) {
            at++;
            continue;
        }
        answer(call);
        free(call);
        at_work[at] = at_work[--working];
        begin_work(now);
    }
    begin_work(now);
    for (int at = 0; at < working; at++)
        if (at_work[at]->until < next) next = at_work[at]->until;
    struct itimerspec when = {0};
    if (next < INFINITY) {
        when.it_value.tv_sec = (time_t)next;
        when.it_value.tv_nsec = (long)((next - floor(next)) * 1e9) + 1;
    }
    timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void came(struct connection *connection, uint32_t id) {
    struct call *call = calloc(1, sizeof *call);
    call->connection = connection;
    call->id = id;
    call->next_in_bucket = connection->calls[(id >> 1) % BUCKETS];
    connection->calls[(id >> 1) % BUCKETS] = call;
    connection->open++;
    if (id > connection->last_id) connection->last_id = id;
    board->counters[RECEIVED]++;
    board->slices[slice(seconds())].came++;
}

static void complete(struct call *call) {
    call->takes = work_time();
    if (drand48() < hang_share) {
        call->state = HANGING;
        board->counters[HUNG]++;
        return;
    }
    if (drand48() < fail_share) {
        call->code = fail_code;
        call->early = fail_early;
        call->takes = 0.001;
    }
    *last_waiting = call;
    last_waiting = &call->next_in_queue;
}

static void take_back(struct call *call) {
    int state = call->state, complete = call->takes > 0;
    part(call);
    if (state == HANGING || !complete) free(call);
    if (state == WAITING && complete) board->counters[TAKEN_BACK]++;
}

static void frame(struct connection *connection, int type, int flags, uint32_t id, const uint8_t *payload,
                  size_t length) {
    struct call *call = id ? *find(connection, id) : NULL;
    switch (type) {
    case HEADERS:
        if (!call && id > connection->last_id) {
            if (connection->draining) break; /* above the last id that we have named: its client knows */
            came(connection, id);
            call = *find(connection, id);
        }
        if (call && flags & END_STREAM) complete(call);
        break;
    case DATA:
        connection->unacknowledged += length;
        if (connection->unacknowledged > 1 << 24) {
            put_window(&connection->out, 0, connection->unacknowledged);
            connection->unacknowledged = 0;
        }
        if (call && flags & END_STREAM) complete(call);
        break;
    case RST_STREAM:
        if (call) take_back(call);
        break;
    case SETTINGS:
        if (!(flags & ACK)) put_frame(&connection->out, 0, SETTINGS, ACK, 0);
        break;
    case PING:
        if (!(flags & ACK)) {
            put_frame(&connection->out, 8, PING, ACK, 0);
            append(&connection->out, payload, 8);
        }
        break;
    default:
        break;
    }
}

static void greet(struct connection *connection) {
    uint8_t entries[12];
    put_setting(entries, 3, 1000);
    put_setting(entries + 6, 4, 1 << 20);
    put_frame(&connection->out, sizeof entries, SETTINGS, 0, 0);
    append(&connection->out, entries, sizeof entries);
    put_window(&connection->out, 0, 1 << 26);
}

/* Return 0 when the connection is finished. */
static int readable(struct connection *connection) {
    struct buffer *in = &connection->in;
    ssize_t count = recv(connection->fd, reserve(in, 1 << 16), 1 << 16, 0);
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
        while (connection->calls[bucket]) take_back(connection->calls[bucket]);
    free(connection->in.bytes);
    free(connection->out.bytes);
    if (connection->previous) connection->previous->next = connection->next;
    else all = connection->next;
    if (connection->next) connection->next->previous = connection->previous;
    free(connection);
}

static void welcome(void) {
    int fd;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        struct connection *connection = calloc(1, sizeof *connection);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        set_up_socket(fd);
        connection->fd = fd;
        connection->next = all;
        if (all) all->previous = connection;
        all = connection;
        board->counters[CONNECTIONS]++;
        epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
    }
}

static void say_goaway(uint32_t last_id, struct connection *connection) {
    uint8_t payload[8] = {0};
    put_u32(payload, last_id);
    put_frame(&connection->out, 8, GOAWAY, 0, 0);
    append(&connection->out, payload, 8);
}

/* First a warning that no new call should come, then the last one that is served. */
static void drain(void) {
    if (draining) return;
    draining = 1;
    drain_until = seconds() + DRAIN_WARNING_S;
    epoll_ctl(poll_fd, EPOLL_CTL_DEL, listener, NULL);
    close(listener);
    for (struct connection *connection = all; connection; connection = connection->next)
        say_goaway(0x7fffffff, connection);
}

static void go_on_draining(double now) {
    if (draining != 1 || now < drain_until) return;
    draining = 2;
    close_after = now + DRAIN_WARNING_S;
    for (struct connection *connection = all; connection; connection = connection->next) {
        connection->draining = 1;
        say_goaway(connection->last_id, connection);
    }
}

static void obey(char *line) {
    char early[16] = "";
    double share;
    int code;
    if (sscanf(line, "work %lf %lf %d", &median_s, &sigma, &workers) == 3) {
        median_s /= 1000;
        if (workers < 1 || workers > MOST_WORKERS) workers = MOST_WORKERS;
    } else if (sscanf(line, "slow %lf", &share) == 1) factor = share;
    else if (sscanf(line, "fail %lf %d %15s", &share, &code, early) >= 2) {
        fail_share = share, fail_code = code, fail_early = strcmp(early, "early") == 0;
    } else if (sscanf(line, "hang %lf", &share) == 1) hang_share = share;
    else if (strncmp(line, "drain", 5) == 0) drain();
    else fprintf(stderr, "no such command: %s\n", line);
}

/* Return 0 at the end of the input. */
static int commands(void) {
    static char text[512];
    static size_t length;
    ssize_t count = read(0, text + length, sizeof text - 1 - length);
    if (count <= 0) return 0;
    text[length += count] = 0;
    char *line = text, *end;
    while ((end = strchr(line, '\n'))) {
        *end = 0;
        obey(line);
        line = end + 1;
    }
    length = strlen(line);
    memmove(text, line, length + 1);
    return 1;
}

static void settle(struct connection *connection) {
    int rest = flush(connection->fd, &connection->out);
    int finished = draining == 2 && connection->open == 0 && seconds() > close_after;
    if (rest < 0 || (rest == 0 && finished)) {
        discard(connection);
    } else if (rest != connection->waits_for_room) {
        struct epoll_event event = {.events = EPOLLIN | (rest ? EPOLLOUT : 0), .data.ptr = connection};
        epoll_ctl(poll_fd, EPOLL_CTL_MOD, connection->fd, &event);
        connection->waits_for_room = rest;
    }
}

static void watch(int fd, void *mark) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = mark};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event) && errno != EPERM) die("epoll");
}

int main(int count, char **arguments) {
    static char clock_mark, listener_mark, signal_mark, input_mark;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event events[256];
    socklen_t size = sizeof address;
    sigset_t signals;
    int one = 1;
    if (count < 5) {
        fprintf(stderr, "usage: %s PORT BOARD BASE SEED [COMMAND...]\n", arguments[0]);
        return 2;
    }
    int file = open(arguments[2], O_RDWR | O_CREAT, 0600);
    if (file < 0 || ftruncate(file, sizeof *board)) die(arguments[2]);
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (board == MAP_FAILED) die("mmap");
    base = atof(arguments[3]);
    srand48(atol(arguments[4]));
    for (int at = 5; at < count; at++) {
        for (char *letter = arguments[at]; *letter; letter++)
            if (*letter == '-') *letter = ' ';
        obey(arguments[at]);
    }
    address.sin_port = htons(atoi(arguments[1]));
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024)) die("listen");
    getsockname(listener, (struct sockaddr *)&address, &size);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    poll_fd = epoll_create1(0);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    watch(timer_fd, &clock_mark);
    watch(listener, &listener_mark);
    watch(signalfd(-1, &signals, SFD_NONBLOCK), &signal_mark);
    watch(0, &input_mark);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    while (!draining || all) {
        int ready = epoll_wait(poll_fd, events, 256, draining ? 20 : 1000);
        for (int at = 0; at < ready; at++) {
            struct connection *connection = events[at].data.ptr;
            uint64_t ticks;
            if (events[at].data.ptr == &clock_mark) {
                if (read(timer_fd, &ticks, sizeof ticks) < 0 && errno != EAGAIN) die("timer");
            } else if (events[at].data.ptr == &listener_mark) welcome();
            else if (events[at].data.ptr == &signal_mark) drain();
            else if (events[at].data.ptr == &input_mark) {
                if (!commands()) return 0; /* whoever started it is gone */
            } else if (events[at].events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !readable(connection))
                discard(connection); /* a batch names a connection once */
        }
        go_on(seconds());
        go_on_draining(seconds());
        for (struct connection *connection = all, *next; connection; connection = next) {
            next = connection->next;
            settle(connection);
        }
    }
    return 0;
}
