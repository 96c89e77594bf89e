/* What a device's energy is read from, in folders that look like Linux's: counters that begin again, power
 * that is summed, several devices, none; NVIDIA's library in the stead of the real one. And what the machine
 * is called. */
#include "base/clock.h"
#include "base/file.h"
#include "base/hardware.h"
#include "base/mem.h"
#include "dev/energy.h"
#include "device_check.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char root[64];

/* A file below the root, with its folders. */
static void put(const char *path, const char *text) {
    char whole[256];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    char *slash = strrchr(whole, '/');
    *slash = '\0';
    check_ok(dun_dir_make(whole));
    *slash = '/';
    check_ok(dun_file_write(whole, text, strlen(text)));
}

static void fresh_root(void) {
    snprintf(root, sizeof root, "/tmp/dunlin-energy-XXXXXX");
    assert_non_null(mkdtemp(root));
}

static void drop_root(void) {
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", root);
    assert_int_equal(system(command), 0);
}

static void rest(int ms) {
    nanosleep(&(struct timespec){.tv_nsec = 1000000L * ms}, NULL);
}

static dun_energy *begin(const dun_device_info *info) {
    dun_energy *energy;
    const dun_energy_source source = {.root = root, .nvml = NVML};
    check_ok(dun_energy_begin(&energy, &source, info));
    return energy;
}

static void none(const dun_device_info *info, const char *reason) {
    dun_energy *energy = begin(info);
    assert_null(dun_energy_by(energy));
    if (!strstr(dun_energy_reason(energy), reason))
        fail_msg("'%s' does not contain '%s'", dun_energy_reason(energy), reason);
    assert_null(strchr(dun_energy_reason(energy), '/'));
    dun_energy_look(energy);
    assert_true(isnan(dun_energy_take(energy)));
    dun_energy_end(energy);
}

static const dun_device_info cpu = {.type = DUN_DEVICE_CPU, .vendor = "GenuineIntel"};

#define RAPL "/sys/class/powercap/intel-rapl:"

/* Two packages, of which the second begins again at its range in between; and the whole machine, in which
 * they are once more. */
static void test_rapl(void **state) {
    (void)state;
    fresh_root();
    none(&cpu, "no counters of the processor");
    put(RAPL "0/name", "psys\n");
    put(RAPL "0/energy_uj", "5000000\n");
    none(&cpu, "no counters of the processor");
    put(RAPL "1/name", "package-0\n");
    put(RAPL "1/energy_uj", "9000000\n");
    put(RAPL "1/max_energy_range_uj", "10000000\n");
    put(RAPL "2/energy_uj", "1000000\n");
    put(RAPL "2/max_energy_range_uj", "262143328850\n");
    dun_energy *energy = begin(&cpu);
    assert_string_equal(dun_energy_by(energy), "RAPL");
    assert_string_equal(dun_energy_reason(energy), "");
    put(RAPL "0/energy_uj", "9000000\n");
    put(RAPL "2/energy_uj", "1500000\n");
    put(RAPL "1/energy_uj", "500000\n");
    assert_true(fabs(dun_energy_take(energy) - (0.5 + 1.5)) < 1e-9);
    assert_true(dun_energy_take(energy) == 0);
    /* As often as it begins again, if it is looked at in between. */
    for (int i = 0; i < 3; i++) {
        const double seen = dun_clock_seconds();
        put(RAPL "1/energy_uj", "9000000\n");
        while (dun_clock_seconds() - seen < 0.11)
            rest(10);
        dun_energy_look(energy);
        put(RAPL "1/energy_uj", "500000\n");
        rest(110);
        dun_energy_look(energy);
    }
    assert_true(fabs(dun_energy_take(energy) - 3 * 10.0) < 1e-9);
    /* A counter that goes back below where it can be. */
    put(RAPL "1/max_energy_range_uj", "0\n");
    put(RAPL "1/energy_uj", "words\n");
    assert_true(isnan(dun_energy_take(energy)));
    assert_true(strstr(dun_energy_reason(energy), "could not be read") != NULL);
    assert_null(dun_energy_by(energy));
    dun_energy_end(energy);
    none(&cpu, "cannot be read");
    drop_root();
}

static void test_back(void **state) {
    (void)state;
    fresh_root();
    put(RAPL "0/energy_uj", "9000000\n"); /* of no known range */
    dun_energy *energy = begin(&cpu);
    put(RAPL "0/energy_uj", "8000000\n");
    assert_true(isnan(dun_energy_take(energy)));
    assert_true(strstr(dun_energy_reason(energy), "went back") != NULL);
    dun_energy_end(energy);
    drop_root();
}

#define HWMON "/sys/class/hwmon/hwmon"

static void test_sensors(void **state) {
    (void)state;
    const dun_device_info amd = {.type = DUN_DEVICE_GPU, .vendor = "Advanced Micro Devices, Inc."};
    const dun_device_info intel = {.type = DUN_DEVICE_GPU, .vendor = "Intel(R) Corporation"};
    fresh_root();
    none(&amd, "no sensor");
    put(HWMON "0/name", "coretemp\n");
    put(HWMON "0/power1_average", "7000000\n");
    put(HWMON "2/name", "amdgpu\n");
    put(HWMON "2/power1_average", "50000000\n"); /* 50 W */
    put(HWMON "3/name", "xe\n");
    put(HWMON "3/energy1_input", "3000000\n");
    dun_energy *energy = begin(&amd);
    const double begun = dun_clock_seconds();
    assert_string_equal(dun_energy_by(energy), "hwmon");
    rest(200);
    const double passed = dun_clock_seconds() - begun, joules = dun_energy_take(energy);
    assert_true(joules >= 50 * 0.2 && joules <= 50 * (passed + 1));
    dun_energy_end(energy);
    energy = begin(&intel);
    put(HWMON "3/energy1_input", "7500000\n");
    assert_true(fabs(dun_energy_take(energy) - 4.5) < 1e-9);
    dun_energy_end(energy);
    put(HWMON "4/name", "amdgpu\n");
    put(HWMON "4/power1_average", "50000000\n");
    none(&amd, "several devices");
    drop_root();
}

static void test_nvml(void **state) {
    (void)state;
    dun_device_info info = {.type = DUN_DEVICE_GPU, .vendor = "NVIDIA Corporation"};
    snprintf(info.name, sizeof info.name, "Single");
    dun_energy *energy = begin(&info);
    assert_string_equal(dun_energy_by(energy), "NVML");
    assert_true(fabs(dun_energy_take(energy) - 1.5) < 1e-9);
    assert_true(fabs(dun_energy_take(energy) - 1.5) < 1e-9);
    dun_energy_end(energy);
    static const char *const others[][2] = {
        {"Twin", "several devices"}, {"Old", "does not count"}, {"None", "knows no device"}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        snprintf(info.name, sizeof info.name, "%s", others[i][0]);
        none(&info, others[i][1]);
    }
    const dun_energy_source nowhere = {.root = "", .nvml = "libdunlin-none.so"};
    check_ok(dun_energy_begin(&energy, &nowhere, &info));
    assert_true(strstr(dun_energy_reason(energy), "is not there") != NULL);
    dun_energy_end(energy);
}

static void test_hardware(void **state) {
    (void)state;
    dun_hardware hardware;
    fresh_root();
    dun_hardware_read(&hardware, root);
    assert_true(*hardware.processor && *hardware.system);
    assert_false(hardware.virtual_machine || hardware.container);
    put("/proc/cpuinfo",
        "processor\t: 0\nmodel\t\t: 85\nmodel name\t: Fast(R)   CPU\t9000  \nflags\t\t: fpu vme\n"
        "model name\t: another\n");
    put("/proc/1/cgroup", "0::/init.scope\n");
    put("/proc/mounts", "/dev/sda1 / ext4 rw 0 0\n");
    dun_hardware_read(&hardware, root);
    assert_string_equal(hardware.processor, "Fast(R) CPU 9000");
    assert_false(hardware.virtual_machine || hardware.container);
    put("/proc/cpuinfo", "model name\t: X\nflags\t\t: fpu hypervisor\n");
    put("/proc/1/cgroup", "12:memory:/docker/0123\n");
    dun_hardware_read(&hardware, root);
    assert_true(hardware.virtual_machine && hardware.container);
    put("/proc/1/cgroup", "0::/\n");
    put("/proc/mounts", "overlay / overlay rw,lowerdir=x 0 0\n");
    put("/proc/cpuinfo", "model name\t: X\n");
    dun_hardware_read(&hardware, root);
    assert_true(!hardware.virtual_machine && hardware.container);
    drop_root();
}

static int live(void **state) {
    (void)state;
    return dun_mem_live() == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_rapl, live), cmocka_unit_test_teardown(test_back, live),
        cmocka_unit_test_teardown(test_sensors, live), cmocka_unit_test_teardown(test_nvml, live),
        cmocka_unit_test_teardown(test_hardware, live)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
