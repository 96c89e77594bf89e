# The Debian package that `cpack -G DEB` makes of a build; tools/package does it all.
set(CPACK_PACKAGE_NAME dunlin)
set(CPACK_PACKAGE_CONTACT "The dunlin authors <dunlin@example.org>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "train soft prompts on a frozen language model with OpenCL")
set(CPACK_PACKAGE_DESCRIPTION
    "A few trained rows, run after a text by a frozen language model, make its
raw output sort texts into classes around centroids. dunlin trains such
prompts from labelled texts, classifies with them line by line or over HTTP,
and reports what a run has reached. It needs an OpenCL driver, for a CPU or
for a GPU, and a model file in the GGUF format; no CUDA, ROCm or Python.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_GENERATOR DEB)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# Loaded when they are first needed, so that no list of libraries has them.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "ocl-icd-libopencl1 | libopencl1")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "pocl-opencl-icd | opencl-icd, libclblast1")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "clinfo, python3-pip")
include(CPack)

# Debian wants a changelog of its own form.
execute_process(COMMAND ${CMAKE_COMMAND} -E env LC_ALL=C date -u -R -d ${released} OUTPUT_VARIABLE date
                OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE date_failed)
if(GZIP AND NOT date_failed)
  set(changelog ${CMAKE_CURRENT_BINARY_DIR}/help/changelog)
  file(WRITE ${changelog} "dunlin (${PROJECT_VERSION}) unstable; urgency=medium\n\n"
       "  * What changes is told in CHANGELOG.md.\n\n -- ${CPACK_PACKAGE_CONTACT}  ${date}\n")
  execute_process(COMMAND ${GZIP} -9nf ${changelog})
  install(FILES ${changelog}.gz DESTINATION ${CMAKE_INSTALL_DOCDIR})
endif()
