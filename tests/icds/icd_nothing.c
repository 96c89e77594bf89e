/* A library that is no OpenCL driver: it exports nothing of one. */
int icd_nothing_here(void);

int icd_nothing_here(void) {
    return 0;
}
