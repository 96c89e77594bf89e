# The library: libdunlin.so.0 and libdunlin.a out of the rooms from api down, dunlin-probe, which tries for it what may
# end a process, and what compilers and build systems ask for.
set(library_rooms api run check session ranks learn nn io math config dev model base)
target_include_directories(dun_api PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/include)
target_link_libraries(dun_api PRIVATE Threads::Threads ${CMAKE_DL_LIBS} m)

add_executable(dunlin_probe host/probe.c)
set_target_properties(dunlin_probe PROPERTIES OUTPUT_NAME dunlin-probe)
target_link_libraries(dunlin_probe PRIVATE dun_dev)
set(probe_folder ${CMAKE_INSTALL_FULL_LIBEXECDIR}/dunlin)
file(RELATIVE_PATH probe_way ${CMAKE_INSTALL_FULL_LIBDIR} ${probe_folder}/dunlin-probe)
target_compile_definitions(dun_api PRIVATE DUN_PROBE_WAY="${probe_way}" DUN_PROBE="${probe_folder}/dunlin-probe")

set(exports ${CMAKE_CURRENT_SOURCE_DIR}/host/api/exports.map)
add_library(libdunlin SHARED $<TARGET_OBJECTS:dun_api>)
set_target_properties(libdunlin PROPERTIES OUTPUT_NAME dunlin EXPORT_NAME dunlin VERSION ${PROJECT_VERSION} SOVERSION 0
                      LINK_DEPENDS ${exports})
target_link_libraries(libdunlin PRIVATE dun_api)
target_link_options(libdunlin PRIVATE -Wl,--version-script=${exports} -Wl,--as-needed)
target_include_directories(libdunlin INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
if(NOT DUN_SANITIZE)
  target_link_options(libdunlin PRIVATE -Wl,--no-undefined)
endif()

list(TRANSFORM library_rooms REPLACE "(.+)" "$<TARGET_OBJECTS:dun_\\1>" OUTPUT_VARIABLE library_objects)
add_library(libdunlin_static STATIC ${library_objects})
set_target_properties(libdunlin_static PROPERTIES OUTPUT_NAME dunlin)

install(TARGETS libdunlin EXPORT dunlin LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library
        NAMELINK_COMPONENT dev)
install(TARGETS libdunlin_static ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
install(TARGETS dunlin_probe RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/dunlin)
install(FILES include/dunlin.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev)
install(DIRECTORY examples DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT dev)

# pkg-config: the way from the file to the prefix, so that a copy that was moved is found where it is.
file(RELATIVE_PATH prefix_way ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(tools/dunlin.pc.in dunlin.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/dunlin.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)

# find_package(dunlin): the target dunlin::dunlin.
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/dunlin)
install(EXPORT dunlin NAMESPACE dunlin:: FILE dunlinConfig.cmake DESTINATION ${package_folder}
        COMPONENT dev)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/dunlinConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/dunlinConfigVersion.cmake DESTINATION ${package_folder} COMPONENT dev)
