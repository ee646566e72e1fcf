/* A simulated libnvidia-ml.so.1 for tests: the functions that Modeldeck asks for, scripted by the file that
 * NVML_SCRIPT names and read anew at each call. Shapes follow nvml.h; nothing here was recorded from a GPU.
 *
 * Lines: `init CODE`, `count CODE N`, and per device `gpu INDEX FIELD CODE VALUE` with the fields
 * handle, name, uuid, memory (VALUE MB used of 24576), util, temperature, power (milliwatts), hang (seconds that the
 * question for power takes), and any number of lines of compute and graphics (VALUE `PID MB`, or `none`).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned int gpu, memory; } rates_t;
typedef struct { unsigned int pid; unsigned long long used; unsigned int gpu_instance, compute_instance; } process_t;

static int lookup(const char *wanted, int index, char *value)
{
    char line[256], word[32], field[32], text[128];
    int at, code, found = -1;
    FILE *script = fopen(getenv("NVML_SCRIPT"), "r");
    value[0] = 0;
    while (script && fgets(line, sizeof line, script)) {
        text[0] = 0;
        if (index < 0) {
            if (sscanf(line, "%31s %d %127s", word, &code, text) >= 2 && !strcmp(word, wanted)) found = code;
            else continue;
        } else {
            if (sscanf(line, "%31s %d %31s %d %127[^\n]", word, &at, field, &code, text) >= 4 && !strcmp(word, "gpu")
                && at == index && !strcmp(field, wanted)) found = code;
            else continue;
        }
        strcpy(value, text);
    }
    if (script) fclose(script);
    return found < 0 ? 3 : found; /* not scripted: NVML_ERROR_NOT_SUPPORTED */
}

static int number(const char *field, void *device, unsigned int *out)
{
    char value[128];
    int code = lookup(field, (int)(long)device - 1, value);
    if (!code) *out = (unsigned int)strtoul(value, NULL, 10);
    return code;
}

int nvmlInitWithFlags(unsigned int flags) { char v[128]; return lookup("init", -1, v); }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { static char text[32]; sprintf(text, "simulated error %d", code); return text; }

int nvmlDeviceGetCount_v2(unsigned int *count)
{
    char value[128];
    int code = lookup("count", -1, value);
    *count = (unsigned int)strtoul(value, NULL, 10);
    return code;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **device)
{
    char value[128];
    int code = lookup("handle", (int)index, value);
    *device = (void *)(long)(index + 1);
    return code == 3 ? 0 : code;
}

static int text(const char *field, void *device, char *out, unsigned int length)
{
    char value[128];
    int code = lookup(field, (int)(long)device - 1, value);
    if (!code) snprintf(out, length, "%s", value);
    return code;
}

int nvmlDeviceGetName(void *device, char *out, unsigned int length) { return text("name", device, out, length); }
int nvmlDeviceGetUUID(void *device, char *out, unsigned int length) { return text("uuid", device, out, length); }

int nvmlDeviceGetMemoryInfo(void *device, memory_t *out)
{
    unsigned int megabytes = 0;
    int code = number("memory", device, &megabytes);
    out->total = 24576ull << 20;
    out->used = (unsigned long long)megabytes << 20;
    out->free = out->total - out->used;
    return code;
}

int nvmlDeviceGetUtilizationRates(void *device, rates_t *out)
{
    out->memory = 0;
    return number("util", device, &out->gpu);
}

int nvmlDeviceGetTemperature(void *device, int sensor, unsigned int *out) { return number("temperature", device, out); }

static int processes(const char *wanted, void *device, unsigned int *count, process_t *out)
{
    char line[256], field[32], text[128];
    int at, code, found = 3; /* not scripted: NVML_ERROR_NOT_SUPPORTED */
    unsigned int n = 0, pid, megabytes;
    FILE *script = fopen(getenv("NVML_SCRIPT"), "r");
    while (script && fgets(line, sizeof line, script)) {
        if (sscanf(line, "gpu %d %31s %d %127[^\n]", &at, field, &code, text) < 4) continue;
        if (at != (int)(long)device - 1 || strcmp(field, wanted)) continue;
        found = code;
        if (sscanf(text, "%u %u", &pid, &megabytes) < 2) continue;
        if (n < *count) {
            out[n].pid = pid;
            out[n].used = megabytes == 4294967295u ? ~0ull : (unsigned long long)megabytes << 20;
        }
        n++;
    }
    if (script) fclose(script);
    if (found) return found;
    code = n > *count ? 7 : 0; /* NVML_ERROR_INSUFFICIENT_SIZE */
    *count = n;
    return code;
}

#ifndef OLD_DRIVER
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned int *count, process_t *out)
{
    return processes("compute", device, count, out);
}

int nvmlDeviceGetGraphicsRunningProcesses_v3(void *device, unsigned int *count, process_t *out)
{
    return processes("graphics", device, count, out);
}

int nvmlDeviceGetPowerUsage(void *device, unsigned int *out)
{
    unsigned int hang = 0;
    if (!number("hang", device, &hang) && hang) sleep(hang);
    return number("power", device, out);
}
#endif
